import { describe, expect, it } from "vitest";
import type { ImageHead } from "../../../src/download/decide.ts";
import { answerFailed, ownError } from "../../../src/download/refusal.ts";
import type { FillProblem, Relay } from "../../../src/fill/protocol.ts";
import { PLAIN } from "../../support/records.ts";

const PAGE = { "access-control-allow-origin": "https://page.test", vary: "Origin" };

const asking = (method = "GET") => ({
  edge: { requestId: "req-1" },
  request: new Request("https://edge.test/", { method, headers: { accept: "application/json" } }),
});

const record = { status: "active", size: 10, checksum: null, hash: null, traits: PLAIN, owner: null, name: null };
const head: ImageHead = {
  record,
  found: { kind: "found", record, headers: new Headers({ ...PAGE, etag: '"record"', "content-length": "700" }) },
  digest: { algorithm: "md5", hex: "0".repeat(32) },
  size: 10,
  etag: '"tag"',
};

const fail = (why: FillProblem, relay: Partial<Relay> | null) =>
  answerFailed(
    asking(),
    head,
    why,
    relay === null ? null : { status: 503, statusText: "Busy", headers: [], body: new Uint8Array(), ...relay },
  );

describe("what the origin said to a fill", () => {
  it("is passed on with status, headers and body, but what is for one caller is this one's own", async () => {
    const theirs = {
      "access-control-allow-origin": "https://lender.test",
      vary: "Cookie",
      "set-cookie": "session=lender",
    };
    const headers = Object.entries({ "retry-after": "5", "content-type": "text/plain", ...theirs });
    const response = fail("fill-failed", { headers, body: new Uint8Array(new TextEncoder().encode("busy")) });
    expect([response.status, response.statusText, await response.text()]).toEqual([503, "Busy", "busy"]);
    expect(Object.fromEntries(response.headers)).toEqual({
      ...PAGE,
      "cache-status": "glance-edge; fwd=uri-miss; detail=fill-failed",
      "content-type": "text/plain",
      "retry-after": "5",
    });
  });

  it.each([204, 304])("has no body where its status, %i, has none", async (status) => {
    expect(await fail("fill-failed", { status, body: new Uint8Array(3) }).text()).toBe("");
  });

  it.each([
    ["fill-failed", "did not give the image"],
    ["digest-mismatch", "does not match its digest"],
  ] as const)("is a 502 that says why where it said nothing of use: %s", async (why, message) => {
    const response = fail(why, null);
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ message: expect.stringContaining(message) });
    expect(response.headers.get("cache-status")).toBe(`glance-edge; fwd=uri-miss; detail=${why}`);
    expect(response.headers.get("vary")).toBe("Origin");
  });
});

it("an error of the edge's own is Glance-shaped, of this moment, and says when to come back", async () => {
  const error = { status: 503, why: "full", detail: "no-room", origin: head.found.headers, retryAfter: 10 } as const;
  const response = ownError(asking(), error);
  expect(await response.json()).toMatchObject({ code: "503 Service Unavailable" });
  expect(Object.fromEntries(response.headers)).toEqual({
    ...PAGE,
    "cache-control": "no-store",
    "cache-status": "glance-edge; fwd=uri-miss; detail=no-room",
    "content-type": "application/json",
    "retry-after": "10",
    "x-openstack-request-id": "req-1",
  });
  expect(await ownError(asking("HEAD"), error).text()).toBe("");
});
