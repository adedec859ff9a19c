/** An ORIGIN_URL that leads back to the edge: every request ends, after few, and says why. Edges in a chain are none. */

import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { afterAll, describe, expect, it } from "vitest";
import { type EdgeProcess, startEdge } from "../support/node/edge-process.ts";
import { fieldsOfHead, RawOrigin, sendRaw } from "./raw-origin.ts";
import { Origin } from "./support.ts";

const ends: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

/** A door whose address is known before what is behind it, and that counts who comes in. */
class Door {
  /** Requests so far, each `METHOD /path`. */
  readonly passed: string[] = [];
  behind = "";
  readonly #server = createServer((incoming, answer) => {
    this.passed.push(`${incoming.method} ${incoming.url}`);
    const { method, headers } = incoming;
    const outgoing = request(this.behind + incoming.url, {
      ...(method === undefined ? {} : { method }),
      headers,
      agent: false,
    });
    outgoing.on("response", (response) => {
      answer.writeHead(response.statusCode ?? 0, response.headers);
      void pipeline(response, answer).catch(() => answer.destroy());
    });
    outgoing.on("error", () => answer.destroy());
    void pipeline(incoming, outgoing).catch(() => answer.destroy());
  });

  async open(): Promise<string> {
    await once(this.#server.listen(0, "127.0.0.1"), "listening");
    ends.push(async () => {
      this.#server.closeAllConnections();
      this.#server.close();
    });
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }
}

async function newEdge(vars: Record<string, string>): Promise<EdgeProcess> {
  const persist = await mkdtemp(join(tmpdir(), "edge-loop-"));
  const edge = await startEdge({ persist, vars });
  ends.push(async () => {
    await edge.stop();
    await rm(persist, { recursive: true });
  });
  return edge;
}

const ID = "71c675ab-d94f-49cd-a114-e12490b328d9";
const REQUESTS = [
  ["GET", "/"],
  ["GET", "/v2/images"],
  ["POST", "/v2/images"],
  ["DELETE", `/v2/images/${ID}`],
  ["GET", `/v2/images/${ID}/file`],
  ["GET", `/v1/images/${ID}`],
  ["PUT", `/v2/cache/${ID}`],
] as const;
const SENTENCE = "This request has passed this edge before: its setting ORIGIN_URL leads back to it.<br /><br />\n\n\n";

async function ask(url: string, method: string, path: string): Promise<{ status: number; body: string }> {
  const response = await fetch(url + path, { method, headers: { "x-auth-token": "demo", accept: "application/json" } });
  return { status: response.status, body: await response.text() };
}

describe("an edge whose origin is", () => {
  it("itself answers 508 with a sentence, after the questions that a download has at most", async () => {
    const door = new Door();
    const url = await door.open();
    const edge = await newEdge({ ORIGIN_URL: url });
    door.behind = edge.url;
    for (const [method, path] of REQUESTS) {
      door.passed.length = 0;
      const answer = await ask(url, method, path);
      expect(answer.status).toBe(508);
      expect(JSON.parse(answer.body)).toEqual({ message: SENTENCE, code: "508 Loop Detected", title: "Loop Detected" });
      // The client's own, and of a download the record, the right, the origin's versions, and then the request itself.
      const most = /file$|v1/.test(path) ? 5 : 2;
      expect(door.passed.length, door.passed.join()).toBeLessThanOrEqual(most);
    }
    // Not one line for each that came back: they were many, within a minute.
    expect(edge.logs().filter((line) => line.includes("request.loops"))).toHaveLength(1);
  });

  it("another edge, whose origin is the first one: the same, and no question goes round twice", async () => {
    const [door, other] = [new Door(), new Door()];
    const [url, otherUrl] = [await door.open(), await other.open()];
    door.behind = (await newEdge({ ORIGIN_URL: otherUrl })).url;
    other.behind = (await newEdge({ ORIGIN_URL: url })).url;
    for (const [method, path] of REQUESTS) {
      door.passed.length = 0;
      other.passed.length = 0;
      const answer = await ask(url, method, path);
      expect(answer.status).toBe(508);
      expect(JSON.parse(answer.body)).toMatchObject({ message: SENTENCE });
      // Of the four that the first one asks over a download, two are downloads to the second, which make four of its own.
      const most = /file$|v1/.test(path) ? 1 + 4 + 2 * 4 + 2 : 3;
      expect(door.passed.length + other.passed.length, [...door.passed, ...other.passed].join()).toBeLessThanOrEqual(
        most,
      );
    }
  });

  it("another edge before a Glance works: a chain is no loop", async () => {
    const origin = new Origin();
    const inner = await newEdge({ ORIGIN_URL: await origin.start() });
    const outer = await newEdge({ ORIGIN_URL: inner.url });
    const image = await origin.createImage({ size: 100_000 });
    const response = await fetch(`${outer.url}/v2/images/${image.id}/file`, { headers: { "x-auth-token": "demo" } });
    expect(response.status).toBe(200);
    expect((await response.arrayBuffer()).byteLength).toBe(100_000);
    expect((await fetch(`${outer.url}/versions`)).status).toBe(200);
  });
});

describe("whatever the edge asks", () => {
  it("carries its entry behind those of the client", async () => {
    const origin = new RawOrigin();
    const edge = await newEdge({ ORIGIN_URL: await origin.start() });
    origin.answer = (head) =>
      head.includes("/file ")
        ? "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nimage"
        : "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 88\r\n\r\n" +
          JSON.stringify({ id: ID, status: "active", size: 5, checksum: "" }).padEnd(88);
    for (const [method, path] of REQUESTS) {
      await sendRaw(
        edge.url,
        `${method} ${path} HTTP/1.1`,
        "Host: edge.test",
        "X-Auth-Token: demo",
        "Via: 2 first.test, 1.1 second.test (with, comma)",
        "CDN-Loop: cloudflare; loops=1",
        // By which a client could hide the way, were they fields of one connection.
        "Connection: Via, CDN-Loop, cdn_loop",
        "Content-Length: 0",
      );
    }
    expect(origin.requests.length).toBeGreaterThanOrEqual(REQUESTS.length + 3);
    // The origin's versions are asked for all clients at once.
    for (const head of origin.requests.filter((request) => !request.startsWith("GET /versions "))) {
      const via = /^2 first\.test, 1\.1 second\.test \(with, comma\), 1\.1 glance-edge-[0-9a-f]{16}$/;
      expect(fieldsOfHead(head, "via").join(", ")).toMatch(via);
      expect(fieldsOfHead(head, "cdn-loop").join(", ")).toMatch(/^cloudflare; loops=1, glance-edge-[0-9a-f]{16}$/);
    }
  });
});
