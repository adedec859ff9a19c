/** Attacks on the framing of a connection that others share, and the victims behind them. */
import { afterAll, expect } from "vitest";
import { exchange, statusesOf } from "../support/node/raw-client.ts";
import { type SeenRequest, WsgiOrigin } from "../support/node/wsgi-origin.ts";

export const HOST = "Host: edge.example\r\n";

/** What an attacker would have a server take for a request of its own: with an identity that the edge never saw. */
export const SMUGGLED = "DELETE /v2/smuggled HTTP/1.1\r\nHost: x\r\nX-Mark: smuggled\r\nX-Roles: admin\r\n\r\n";

/** A body that ends a chunked message early and goes on with a second request. */
export const EARLY_END = `0\r\n\r\n${SMUGGLED}`;

/** What others ask behind an attack. */
export const VICTIMS: readonly string[] = ["one", "two", "three", "four"].map((victim) => `/v2/images/${victim}`);

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
  const answered = statusesOf(answer.text).filter((status) => status === 200).length;
  for (const target of VICTIMS) {
    const bytes = `GET ${target} HTTP/1.1\r\n${HOST}X-Mark: ${target}\r\nConnection: close\r\n\r\n`;
    const { text } = await exchange(edgeUrl, bytes);
    expect(text).toContain(JSON.stringify({ method: "GET", target, mark: target }));
  }
  const whole = origin.takeSeen().filter((seen) => seen.whole);
  const isVictims = ({ target }: SeenRequest) => VICTIMS.includes(target);
  expect(whole.filter(isVictims).map(({ target }) => target)).toEqual(VICTIMS);
  const asked = whole.length - VICTIMS.length;
  // Of one that was left before its answer came, the origin may have been asked, but once.
  if (answer.closed || asked > 1) expect(asked).toBe(answered);
  return answer.text;
}
