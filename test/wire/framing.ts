/** Attacks on the framing of a connection that others share, and the victims behind them. */
import { afterAll, expect } from "vitest";
import { exchange, statusesOf } from "../support/node/raw-client.ts";
import { WsgiOrigin } from "../support/node/wsgi-origin.ts";

export const HOST = "Host: edge.example\r\n";

/** What an attacker would have a server take for a request of its own: with an identity that the edge never saw. */
export const SMUGGLED = "DELETE /v2/smuggled HTTP/1.1\r\nHost: x\r\nX-Mark: smuggled\r\nX-Roles: admin\r\n\r\n";

/** A body that ends a chunked message early and goes on with a second request. */
export const EARLY_END = `0\r\n\r\n${SMUGGLED}`;

/** An origin for all tests of a file. */
export function useWsgiOrigin(): WsgiOrigin {
  const origin = new WsgiOrigin();
  afterAll(() => origin.close());
  return origin;
}

/** A request with a body whose length is told truly. */
export function request(method: string, fields: readonly string[], body: string, target = "/v2/images"): string {
  const lines = [`${method} ${target} HTTP/1.1`, HOST.trim(), "X-Mark: attacker", ...fields];
  return `${[...lines, `Content-Length: ${body.length}`].join("\r\n")}\r\n\r\n${body}`;
}

/**
 * Sends the attacker's bytes, then four requests of others, each over a connection of its own: each must get its own
 * answer, and the origin must have seen as many requests as were answered to who had sent them.
 * @returns what the attacker was answered
 */
export async function attack(edgeUrl: string, origin: WsgiOrigin, bytes: string, quietMs?: number): Promise<string> {
  origin.takeSeen();
  const answer = await exchange(edgeUrl, bytes, quietMs);
  for (const victim of ["one", "two", "three", "four"]) {
    const target = `/v2/images/${victim}`;
    const text = await exchange(
      edgeUrl,
      `GET ${target} HTTP/1.1\r\n${HOST}X-Mark: ${victim}\r\nConnection: close\r\n\r\n`,
    );
    expect(text).toContain(JSON.stringify({ method: "GET", target, mark: victim }));
  }
  const whole = origin.takeSeen().filter((seen) => seen.whole);
  expect(whole.map(({ target }) => target).slice(-4)).toEqual(
    ["one", "two", "three", "four"].map((victim) => `/v2/images/${victim}`),
  );
  expect(whole.length - 4).toBe(statusesOf(answer).filter((status) => status === 200).length);
  return answer;
}
