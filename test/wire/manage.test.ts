/** The cache's management as it is on the wire: lengths, bodies where none are expected, and methods. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EdgeProcess, startEdge } from "../support/node/edge-process.ts";
import { type Answer, ask, valuesOf } from "./raw.ts";
import { Origin, stored } from "./support.ts";

const origin = new Origin();
let edge: EdgeProcess;
let persist = "";

beforeAll(async () => {
  persist = await mkdtemp(join(tmpdir(), "edge-manage-"));
  const url = await origin.start();
  edge = await startEdge({ persist, vars: { ORIGIN_URL: url, KEYSTONE_URL: `${url}/v3` } });
});
afterAll(async () => {
  await edge.stop();
  await rm(persist, { recursive: true });
});

async function manage(
  line: string,
  token: string | null = "admin",
  init: Parameters<typeof ask>[1] = {},
): Promise<Answer> {
  const [method = "", path = ""] = line.split(" ");
  const headers = { ...(token === null ? {} : { "x-auth-token": token }), ...init.headers };
  return ask(edge.url + path, { ...init, method, headers });
}

it.each([
  ["GET /v2/cache", null],
  ["GET /v2/cache", "demo"],
  ["POST /v2/cache", "admin"],
  ["TRACE /v2/cache", "admin"],
  ["PUT /v2/cache/nonsense", "admin"],
  ["GET /v2/cache", "admin"],
  ["PUT /v2/queued_images/nonsense", "admin"],
])("the length of what %s by %s gets is said, in every form", async (line, token) => {
  for (const accept of ["*/*", "application/json", "text/plain"]) {
    const { fields, body } = await manage(line, token, { headers: { accept } });
    expect(body.byteLength).toBeGreaterThan(0);
    expect(valuesOf(fields, "content-length")).toEqual([String(body.byteLength)]);
  }
});

it.each([
  ["HEAD /v2/cache", 405, ["0"]],
  ["HEAD /v2/cache/clean", 405, ["0"]],
  ["POST /v2/cache/clean", 200, ["0"]],
  // RFC 9110 section 8.6 forbids it there, and the platform does not send it, though Glance does.
  ["DELETE /v2/cache", 204, []],
])("%s: %i without a body", async (line, status, length) => {
  const { status: actual, fields, body } = await manage(line, "admin", { headers: { accept: "application/json" } });
  expect([actual, body.byteLength]).toEqual([status, 0]);
  expect(valuesOf(fields, "content-length")).toEqual(length);
  expect(valuesOf(fields, "content-type")).toEqual(["text/html; charset=UTF-8"]);
});

describe("a list that is asked for with a body", () => {
  const text = { accept: "text/plain" };
  const LENGTH = { headers: { ...text, "content-length": "2" }, body: Buffer.from("{}") };
  const CHUNKS = { headers: { ...text, "transfer-encoding": "chunked" }, body: Buffer.from("{}") };
  const NOTHING = { headers: { ...text, "content-length": "0" } };
  const TYPE = { headers: { ...text, "content-type": "application/json" } };

  it.each([
    ["with its length", LENGTH],
    ["in chunks", CHUNKS],
  ])("%s is refused: a member too, but not before the token", async (_, init) => {
    for (const [token, status] of [
      ["admin", 400],
      ["demo", 400],
      [null, 401],
    ] as const) {
      const answer = await manage("GET /v2/cache", token, init);
      expect(answer.status).toBe(status);
      if (status === 400) {
        expect(answer.body.toString()).toBe("400 Bad Request\n\nA body is not expected with this request.\n\n   ");
      }
    }
  });

  it.each([
    ["of no bytes", NOTHING],
    ["that has a type only", TYPE],
  ])("%s is none", async (_, init) => {
    expect((await manage("GET /v2/cache", "admin", init)).status).toBe(200);
  });
});

it("a body that nobody asked for hinders no other operation", async () => {
  const headers = { "content-type": "application/json", "content-length": "4" };
  const image = await origin.createImage({ size: 10_000 });
  for (const [line, status] of [
    [`DELETE /v2/cache/${image.id}`, 204],
    ["DELETE /v2/cache", 204],
    ["POST /v2/cache/clean", 200],
    [`PUT /v2/cache/${image.id}`, 202],
  ] as const) {
    expect([line, (await manage(line, "admin", { headers, body: Buffer.from("junk") })).status]).toEqual([
      line,
      status,
    ]);
  }
  // Where the Fill has the edge's own settings, KEYSTONE_URL among them, it is fetched as well.
  await stored(edge.url, image);
});
