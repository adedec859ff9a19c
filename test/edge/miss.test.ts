import { describe, expect, it } from "vitest";
import { dataRanges } from "../support/readers.ts";
import {
  asks,
  bindings,
  committed,
  createImage,
  download,
  expectCalls,
  goesOn,
  isCommitted,
  setFaults,
  settled,
  sha512,
  storedSlices,
} from "../support/scenario.ts";

const SIZE = 2_500_000;

describe("a miss", () => {
  it("gives the origin's bytes and fields, says that it stores them, and the next download is a hit", async () => {
    const image = await createImage({ size: SIZE });
    const miss = await download(image.id);
    expect(miss.status).toBe(200);
    expect(miss.headers.get("cache-status")).toBe("glance-edge; fwd=uri-miss; stored");
    expect(miss.headers.get("content-length")).toBe(String(SIZE));
    expect(miss.headers.get("content-type")).toBe("application/octet-stream");
    expect(miss.headers.get("content-md5")).toBe(image.checksum);
    expect(miss.headers.get("etag")).toBe(`"${image.os_hash_value}"`);
    expect(miss.headers.get("x-openstack-request-id")).toMatch(/^req-/);
    expect(await sha512(await miss.arrayBuffer())).toBe(image.os_hash_value);
    await settled();
    await committed(image.id);
    await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file`, goesOn(image.id));

    const hit = await download(image.id);
    expect(hit.headers.get("cache-status")).toBe("glance-edge; hit");
    expect(await sha512(await hit.arrayBuffer())).toBe(image.os_hash_value);
    await expectCalls(...asks(image.id));
  });

  it.each([1, 2, 65_535, 65_536, 65_537, 524_288, 524_289, 1_048_576])("stores an image of %i bytes", async (size) => {
    const image = await createImage({ size });
    expect(await sha512(await (await download(image.id)).arrayBuffer())).toBe(image.os_hash_value);
    await settled();
    await committed(image.id);
    const hit = await download(image.id);
    expect(hit.headers.get("cache-status")).toBe("glance-edge; hit");
    expect(await sha512(await hit.arrayBuffer())).toBe(image.os_hash_value);
    await expectCalls(...asks(image.id), ...asks(image.id), `GET /v2/images/${image.id}/file`, goesOn(image.id));
  });

  it.each(["sha512", "sha384", "sha256", "sha1", "md5"])(
    "is verified by %s where the record has that",
    async (hash) => {
      const image = await createImage({ size: SIZE, hash });
      await (await download(image.id)).arrayBuffer();
      await settled();
      await committed(image.id);
      const row = await bindings.CATALOG.prepare("SELECT blob FROM images WHERE image_id = ?").bind(image.id).first();
      const shared = hash !== "md5" && hash !== "sha1";
      const value = image.os_hash_value ?? image.checksum;
      expect(row?.blob).toBe(`${hash}-${value}${shared ? "" : `-${image.id}`}`);
      await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file`, goesOn(image.id));
    },
  );

  it("takes the checksum where it can't compute the stronger digest", async () => {
    const image = await createImage({ size: SIZE, hash: "blake2b" });
    await (await download(image.id)).arrayBuffer();
    await settled();
    await committed(image.id);
    const row = await bindings.CATALOG.prepare("SELECT blob FROM images WHERE image_id = ?").bind(image.id).first();
    expect(row?.blob).toBe(`md5-${image.checksum}-${image.id}`);
    await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file`, goesOn(image.id));
  });

  it("answers a condition that its record settles without moving the image", async () => {
    const image = await createImage({ size: SIZE });
    const response = await download(image.id, { headers: { "if-none-match": `"${image.os_hash_value}"` } });
    expect(response.status).toBe(304);
    await expectCalls(...asks(image.id));
    expect(await isCommitted(image.id)).toBe(false);
  });

  it("stores an image whose origin sends a Content-Length instead of chunks", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { contentLength: true });
    await (await download(image.id)).arrayBuffer();
    await settled();
    await committed(image.id);
    await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file`, goesOn(image.id));
  });
});

describe("a body that is not the image never ends well and is never stored", () => {
  it.each([
    ["corrupt in its first byte", { corruptAt: 0 }],
    ["corrupt in the middle", { corruptAt: SIZE / 2 }],
    ["corrupt in its last byte", { corruptAt: SIZE - 1 }],
    ["one byte long, chunked", { longBy: 1 }],
    ["one byte long, with a Content-Length", { longBy: 1, contentLength: true }],
  ])("%s", async (_, faults) => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, faults);
    const response = await download(image.id);
    expect(response.headers.get("content-length")).toBe(String(SIZE));
    await expect(response.arrayBuffer()).rejects.toThrow();
    await settled();
    expect(await isCommitted(image.id)).toBe(false);
    await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file`, goesOn(image.id));
  });

  it.each([
    ["one byte short, chunked", { shortBy: 1 }],
    ["one byte short, with a Content-Length", { shortBy: 1, contentLength: true }],
    ["cut, each time", { cutAt: 1_000_000 }],
  ])("%s, after a few tries at the rest", async (_, faults) => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, faults);
    const response = await download(image.id);
    await expect(response.arrayBuffer()).rejects.toThrow();
    await settled();
    expect(await isCommitted(image.id)).toBe(false);
    const seen = await expectCalls(
      ...asks(image.id),
      `GET /v2/images/${image.id}/file`,
      `*GET /v2/images/${image.id}/file bytes=${SIZE - 1}-`,
      `*GET /v2/images/${image.id}/file bytes=524288-`,
    );
    expect(dataRanges(seen).filter((range) => range !== null)).toHaveLength(3);
  });

  it("wrong bytes of one image are not served to anybody from the store", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { corruptAt: 7 });
    await expect((await download(image.id)).arrayBuffer()).rejects.toThrow();
    await settled();
    await expect.poll(() => storedSlices(`blobs/sha512-${image.os_hash_value}/`)).toEqual([]);
    await setFaults(image.id, {});
    const again = await download(image.id);
    expect(await sha512(await again.arrayBuffer())).toBe(image.os_hash_value);
    await settled();
    await committed(image.id);
    await expectCalls(
      ...asks(image.id),
      ...asks(image.id),
      ...Array(2).fill(`GET /v2/images/${image.id}/file`),
      goesOn(image.id),
    );
  });
});

describe("what is not stored says why", () => {
  it.each([
    ["an image that is not active", { size: SIZE, status: "queued" }, "not-active", {}],
    ["an image that has no digest", { size: SIZE, hash: "none" }, "no-digest", {}],
    ["an image of no known size", { size: SIZE, overrides: { size: null } }, "size-unknown", {}],
    ["an image of size 0", { size: 0 }, "size-unknown", {}],
    ["an image over IMAGE_MAX_BYTES", { size: SIZE }, "too-large", { IMAGE_MAX_BYTES: String(SIZE - 1) }],
  ])("%s", async (_, options, detail, env) => {
    const image = await createImage(options);
    const response = await download(image.id, { env });
    expect(response.headers.get("cache-status")).toBe(`glance-edge; fwd=bypass; detail=${detail}`);
    await response.arrayBuffer();
    await settled();
    expect(await isCommitted(image.id)).toBe(false);
    await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file`, goesOn(image.id));
  });

  it("an image of exactly IMAGE_MAX_BYTES is stored", async () => {
    const image = await createImage({ size: SIZE });
    await (await download(image.id, { env: { IMAGE_MAX_BYTES: String(SIZE) } })).arrayBuffer();
    await settled();
    await committed(image.id);
    await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file`, goesOn(image.id));
  });

  it("a range of an image that is not stored is the origin's own, and stores nothing", async () => {
    const image = await createImage({ size: SIZE });
    const response = await download(image.id, { headers: { range: "bytes=5-9" } });
    expect(response.status).toBe(206);
    expect(response.headers.get("cache-status")).toBe("glance-edge; fwd=bypass; detail=range-not-stored");
    expect((await response.arrayBuffer()).byteLength).toBe(5);
    await settled();
    expect(await isCommitted(image.id)).toBe(false);
    await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file bytes=5-9`);
  });

  it("an origin that encodes the image is passed on as it is", async () => {
    const image = await createImage({ size: 1000 });
    await setFaults(image.id, { contentEncoding: "x-odd" });
    const response = await download(image.id);
    expect(response.headers.get("content-encoding")).toBe("x-odd");
    await response.arrayBuffer();
    await settled();
    expect(await isCommitted(image.id)).toBe(false);
    await expectCalls(...asks(image.id), ...Array(2).fill(`GET /v2/images/${image.id}/file`), goesOn(image.id));
  });
});
