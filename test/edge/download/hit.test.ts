import { beforeAll, describe, expect, it } from "vitest";
import { keptImage, keysOf } from "../../support/kept.ts";
import { keepLines } from "../../support/lines.ts";
import { dataBytes } from "../../support/readers.ts";
import {
  ask,
  asks,
  atOrigin,
  cacheImage,
  createImage,
  download,
  expectCalls,
  type Image,
  setFaults,
  sha512,
  trueBytes,
} from "../../support/scenario.ts";

const SIZE = 3_000_007;
let image: Image;
let bytes: Uint8Array;

beforeAll(async () => {
  image = await keptImage({ size: SIZE });
  bytes = await trueBytes(image.id);
});
keepLines();

describe("a hit", () => {
  it("gives the whole image with Glance's fields and those of a cache, and moves no image byte from the origin", async () => {
    const response = await download(image.id);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-length")).toBe(String(SIZE));
    expect(response.headers.get("content-type")).toBe("application/octet-stream");
    expect(response.headers.get("content-md5")).toBe(image.checksum);
    expect(response.headers.get("etag")).toBe(`"${image.os_hash_value}"`);
    expect(response.headers.get("accept-ranges")).toBe("bytes");
    expect(response.headers.get("cache-status")).toBe("glance-edge; hit");
    expect(response.headers.get("cache-control")).toBe("private, no-cache");
    expect(response.headers.get("x-openstack-request-id")).toMatch(/^req-/);
    expect(await sha512(await response.arrayBuffer())).toBe(image.os_hash_value);
    const seen = await expectCalls(...asks(image.id));
    expect(dataBytes(seen)).toBe(0);
    expect(seen.find((call) => call.range !== null)?.status).toBe(416);
  });

  it("takes no notice of the query but to ask for the right with it", async () => {
    const response = await ask(`/v2/images/${image.id}/file?prefer=store1`);
    expect(response.headers.get("cache-status")).toBe("glance-edge; hit");
    await response.arrayBuffer();
    await expectCalls(...asks(image.id, "?prefer=store1"));
  });
});

describe("a range of a hit is what Glance gives for the same range", () => {
  it.each([
    { range: "bytes=3-5" },
    { range: "bytes=0-0" },
    { range: "bytes=0-524287" },
    { range: "bytes=524288-524288" },
    { range: "bytes=524287-524288" },
    { range: "bytes=65535-1048577" },
    { range: "bytes=-4" },
    { range: "bytes=-0" },
    { range: "bytes=-99999999" },
    { range: "bytes=2999999-" },
    { range: "bytes=2999999-99999999" },
    { range: `bytes=0-${SIZE - 1}` },
    { "content-range": "bytes 3-5/*" },
    { "content-range": `bytes 70000-140000/${SIZE}` },
  ])("%o", async (headers: Record<string, string>) => {
    const mine = await download(image.id, { headers });
    // Where the origin's store can't, the copy can.
    await setFaults(image.id, { randomAccess: true });
    const theirs = await atOrigin(`/v2/images/${image.id}/file`, { headers });
    await setFaults(image.id, {});
    expect(mine.headers.get("cache-status")).toBe("glance-edge; hit");
    expect(mine.status).toBe(206);
    expect(theirs.status).toBe(206);
    for (const name of ["content-range", "content-length", "content-md5", "content-type"]) {
      expect(mine.headers.get(name), name).toBe(theirs.headers.get(name));
    }
    expect(new Uint8Array(await mine.arrayBuffer())).toEqual(new Uint8Array(await theirs.arrayBuffer()));
    await expectCalls(...asks(image.id));
  });

  it.each([
    { range: `bytes=${SIZE}-` },
    { range: "bytes=5-3" },
    { range: "bytes=abc" },
    { range: "items=0-1" },
    { range: "bytes=0-1,3-4" },
    { "content-range": "junk" },
    { "content-range": "bytes 3-99999999/*" },
    // Where the local R2 fails instead of refusing.
    { range: `bytes=${SIZE}-${SIZE}` },
    { range: "bytes=99999999999999999999-" },
  ])("%o is refused by Glance itself", async (headers: Record<string, string>) => {
    const mine = await download(image.id, { headers });
    const theirs = await atOrigin(`/v2/images/${image.id}/file`, { headers });
    expect(theirs.status).toBeGreaterThanOrEqual(400);
    expect(mine.status).toBe(theirs.status);
    expect(mine.headers.get("cache-status")).toBe("glance-edge; fwd=bypass; detail=range-refused");
    expect(await mine.text()).toBe(await theirs.text());
    const range = "range" in headers ? ` ${headers.range}` : "";
    await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file${range}`);
  });
});

describe("a conditional download of a stored image", () => {
  const etag = () => `"${image.os_hash_value}"`;

  it.each([
    ["If-None-Match with its tag", () => ({ "if-none-match": etag() }), 304],
    ["If-None-Match with its tag, weakly", () => ({ "if-none-match": `W/${etag()}` }), 304],
    ["If-None-Match with its tag in a list", () => ({ "if-none-match": `"a", ${etag()}` }), 304],
    ["If-None-Match: *", () => ({ "if-none-match": "*" }), 304],
    ["If-None-Match with its tag and a range", () => ({ "if-none-match": etag(), range: "bytes=0-3" }), 304],
    ["If-None-Match with another tag", () => ({ "if-none-match": '"a"' }), 200],
    ["If-Match with its tag", () => ({ "if-match": etag() }), 200],
    ["If-Match: *", () => ({ "if-match": "*" }), 200],
    ["If-Match with another tag", () => ({ "if-match": '"a"' }), 412],
    ["If-Match with its tag, weakly", () => ({ "if-match": `W/${etag()}` }), 412],
    ["If-Match with another tag and If-None-Match", () => ({ "if-match": '"a"', "if-none-match": etag() }), 412],
    ["If-Range with its tag", () => ({ "if-range": etag(), range: "bytes=0-3" }), 206],
    ["If-Range with another tag", () => ({ "if-range": '"a"', range: "bytes=0-3" }), 200],
    ["If-Range with its tag, weakly", () => ({ "if-range": `W/${etag()}`, range: "bytes=0-3" }), 200],
    ["If-Range with a date", () => ({ "if-range": "Mon, 23 Nov 2026 00:00:00 GMT", range: "bytes=0-3" }), 200],
  ] as const)("%s gets %i", async (_, headers, status) => {
    const response = await download(image.id, { headers: headers() });
    expect(response.status).toBe(status);
    expect(response.headers.get("etag")).toBe(etag());
    const body = new Uint8Array(await response.arrayBuffer());
    const expected = { 200: bytes, 206: bytes.slice(0, 4), 304: new Uint8Array(), 412: new Uint8Array() }[status];
    expect(body).toEqual(expected);
    await expectCalls(...asks(image.id));
  });

  it("is not answered with 304 for a caller who may not download", async () => {
    const response = await download(image.id, { token: "other", headers: { "if-none-match": etag() } });
    expect(response.status).toBe(404);
    await response.body?.cancel();
    await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file`);
  });
});

describe("a range of an image whose data was wrong a moment ago", () => {
  it("is 502 with the reason, and the whole image is a hit", async () => {
    const other = await keptImage({ size: 200_000, rangesFrom: Date.now() + 60_000 });
    const headers = { range: "bytes=1000-", accept: "application/json" };
    const part = await download(other.id, { headers });
    expect([part.status, part.headers.get("cache-status")]).toEqual([
      502,
      "glance-edge; fwd=uri-miss; detail=left-alone",
    ]);
    expect(await part.json()).toMatchObject({
      code: "502 Bad Gateway",
      message: expect.stringContaining("did not match"),
    });
    const whole = await download(other.id);
    expect(whole.headers.get("cache-status")).toBe("glance-edge; hit");
    expect(await sha512(await whole.arrayBuffer())).toBe(other.os_hash_value);
    await expectCalls(...asks(other.id), ...asks(other.id));
  });

  it("is a hit when that time is over", async () => {
    const other = await keptImage({ size: 200_000, rangesFrom: Date.now() - 1 });
    const part = await download(other.id, { headers: { range: "bytes=1000-" } });
    expect([part.status, part.headers.get("cache-status")]).toEqual([206, "glance-edge; hit"]);
    expect((await part.arrayBuffer()).byteLength).toBe(199_000);
    await expectCalls(...asks(other.id));
  });
});

it("what a download brings is a hit for the next one", async () => {
  const other = await createImage({ size: SIZE });
  await cacheImage(other.id);
  expect((await keysOf(other)).filter((key) => key.startsWith("images/"))).toEqual([`images/${other.id}`]);
  const hit = await download(other.id);
  expect(hit.headers.get("cache-status")).toBe("glance-edge; hit");
  expect(await sha512(await hit.arrayBuffer())).toBe(other.os_hash_value);
  await expectCalls(...asks(other.id));
});

it("a record that can't be had leaves the answer to the origin", async () => {
  const other = await keptImage({ size: 200_000 });
  await setFaults(other.id, { recordStatus: 500 });
  const response = await download(other.id);
  expect(response.headers.get("cache-status")).toBe("glance-edge; fwd=bypass; detail=record-refused");
  expect(await sha512(await response.arrayBuffer())).toBe(other.os_hash_value);
  await expectCalls(...asks(other.id), `GET /v2/images/${other.id}/file`);
});
