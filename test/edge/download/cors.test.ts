/**
 * Glance with `[cors] allowed_origin`: what it says to the page that asks is on every answer, also on those of the edge's own.
 */

import { afterEach, describe, expect, it, vi } from "vitest";
import { bucketBut } from "../../support/bindings.ts";
import { keptImage } from "../../support/kept.ts";
import { keepLines } from "../../support/lines.ts";
import { startReader } from "../../support/readers.ts";
import {
  ask,
  asks,
  asksV1,
  calls,
  createImage,
  download,
  expectCalls,
  type Image,
  setFaults,
  settled,
} from "../../support/scenario.ts";

const SIZE = 300_000;
const PAGE = "https://horizon.test";

/** As oslo_middleware/cors.py adds them, and what a proxy in front of Glance may. */
const RECORD_HEADERS = {
  "Access-Control-Allow-Origin": "{origin}",
  "Access-Control-Allow-Credentials": "true",
  "Access-Control-Expose-Headers": "X-Openstack-Request-Id",
  Vary: "Origin",
  "Content-Security-Policy": "default-src 'none'",
};

/** What a page from there may read, and the rest that the origin added. */
function added({ headers }: Response): Record<string, string | null> {
  const names = [...Object.keys(RECORD_HEADERS)].map((name) => name.toLowerCase());
  return Object.fromEntries(names.map((name) => [name, headers.get(name)]));
}

const forPage = (page: string) => ({
  "access-control-allow-origin": page,
  "access-control-allow-credentials": "true",
  "access-control-expose-headers": "X-Openstack-Request-Id",
  vary: "Origin",
  "content-security-policy": "default-src 'none'",
});

async function withCors(image: Image, faults: Record<string, unknown> = {}): Promise<Image> {
  await setFaults(image.id, { recordHeaders: RECORD_HEADERS, ...faults });
  return image;
}

keepLines();
afterEach(() => vi.restoreAllMocks());

describe("what the origin adds for a page is on", () => {
  it.each<[string, number, RequestInit]>([
    ["a hit", 200, {}],
    ["a part of a hit", 206, { headers: { range: "bytes=0-9" } }],
    ["a 304", 304, { headers: { "if-none-match": "*" } }],
    ["a 412", 412, { headers: { "if-match": '"x"' } }],
    ["a HEAD", 200, { method: "HEAD" }],
  ])("%s", async (_, status, init) => {
    const image = await withCors(await keptImage({ size: SIZE }));
    const response = await download(image.id, { ...init, headers: { ...init.headers, origin: PAGE } });
    expect(response.status).toBe(status);
    await response.arrayBuffer();
    expect(added(response)).toEqual(forPage(PAGE));
    await expectCalls(...asks(image.id));
  });

  it("each of several downloads that share a fill, for its own page", async () => {
    const image = await withCors(await createImage({ size: SIZE }), { rate: 100_000 });
    const pages = [PAGE, "https://other.test"];
    const readers = await Promise.all(pages.map((origin) => startReader(image.id, { headers: { origin } })));
    // Both share it: it may end.
    await setFaults(image.id, { rate: 100_000_000 });
    expect(readers.map(({ response }) => added(response))).toEqual(pages.map(forPage));
    expect(readers.map(({ cacheStatus }) => cacheStatus).sort()).toEqual([
      "glance-edge; fwd=uri-miss; collapsed",
      "glance-edge; fwd=uri-miss; stored",
    ]);
    for (const reader of readers) expect(await reader.ended).toBe("whole");
    await expectCalls(...asks(image.id), ...asks(image.id), `GET /v2/images/${image.id}/file`);
  });

  it("a download that goes alone", async () => {
    const image = await withCors(await createImage({ size: SIZE }));
    const env = { CACHE_MAX_BYTES: "0" };
    const response = await download(image.id, { env, headers: { origin: PAGE } });
    expect(response.headers.get("cache-status")).toBe("glance-edge; fwd=uri-miss; detail=no-room");
    await response.arrayBuffer();
    expect(added(response)).toEqual(forPage(PAGE));
    await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file`);
  });

  it("a HEAD of an image that is not kept", async () => {
    const image = await withCors(await createImage({ size: SIZE }));
    const response = await download(image.id, { method: "HEAD", headers: { origin: PAGE } });
    expect(added(response)).toEqual(forPage(PAGE));
    await expectCalls(...asks(image.id));
  });

  it("504 to what only a kept image would do", async () => {
    const image = await withCors(await createImage({ size: SIZE }));
    const response = await download(image.id, { headers: { origin: PAGE, "cache-control": "only-if-cached" } });
    expect(response.status).toBe(504);
    await response.arrayBuffer();
    expect(added(response)).toEqual(forPage(PAGE));
    await expectCalls(...asks(image.id));
  });

  it("502 to a range of what was wrong", async () => {
    const image = await withCors(await keptImage({ size: SIZE, rangesFrom: Date.now() + 60_000 }));
    const response = await download(image.id, { headers: { origin: PAGE, range: "bytes=5-" } });
    expect(response.status).toBe(502);
    await response.arrayBuffer();
    expect(added(response)).toEqual(forPage(PAGE));
    await expectCalls(...asks(image.id));
  });

  it("503 where no more downloads may go alone", async () => {
    const image = await withCors(await createImage({ size: SIZE }), { rate: 150_000 });
    const env = { CACHE_MAX_BYTES: "0", ALONE_MAX: "1" };
    const first = await startReader(image.id, { env });
    const second = await download(image.id, { env, headers: { origin: PAGE } });
    expect(second.status).toBe(503);
    await second.arrayBuffer();
    expect(added(second)).toEqual(forPage(PAGE));
    first.leave();
    await settled();
    await expectCalls(...asks(image.id), ...asks(image.id), `GET /v2/images/${image.id}/file`);
  });

  it("a v1 download, kept or not", async () => {
    const image = await withCors(await keptImage({ size: SIZE }));
    const response = await ask(`/v1/images/${image.id}`, { headers: { origin: PAGE } });
    expect(response.headers.get("cache-status")).toBe("glance-edge; hit");
    await response.arrayBuffer();
    expect(added(response)).toEqual(forPage(PAGE));
    await expectCalls(...asksV1(image.id));
  });
});

it("who sends no Origin gets what the origin says without one", async () => {
  const image = await withCors(await keptImage({ size: SIZE }));
  const response = await download(image.id);
  await response.arrayBuffer();
  expect(added(response)).toEqual({ ...forPage(PAGE), "access-control-allow-origin": null });
  await expectCalls(...asks(image.id));
});

it("a remembered permission is for one page: another one asks anew, and none gets another's answer", async () => {
  const image = await withCors(await keptImage({ size: SIZE }));
  const env = { AUTHORIZATION_TTL: "60" };
  const as = async (page: string | null) => {
    const headers: Record<string, string> = page === null ? {} : { origin: page };
    const before = (await calls()).length;
    const response = await download(image.id, { env, headers });
    expect(response.headers.get("cache-status")).toBe("glance-edge; hit");
    await response.arrayBuffer();
    return [response.headers.get("access-control-allow-origin"), (await calls()).length - before];
  };
  expect(await as(PAGE)).toEqual([PAGE, 2]);
  expect(await as(PAGE)).toEqual([PAGE, 0]);
  expect(await as("https://other.test")).toEqual(["https://other.test", 2]);
  expect(await as(null)).toEqual([null, 2]);
  expect(await as(PAGE)).toEqual([PAGE, 0]);
  await expectCalls(...asks(image.id), ...asks(image.id), ...asks(image.id));
});

it("a store that is down takes nothing of it", async () => {
  const image = await withCors(await keptImage({ size: SIZE }));
  const env = { BUCKET: bucketBut({ get: () => Promise.reject(new Error("R2 is down")) }) };
  const response = await download(image.id, { env, headers: { origin: PAGE } });
  expect(response.headers.get("cache-status")).toBe("glance-edge; fwd=uri-miss; detail=store-unavailable");
  await response.arrayBuffer();
  expect(added(response)).toEqual(forPage(PAGE));
  await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file`);
});
