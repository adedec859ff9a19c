import { describe, expect, it } from "vitest";
import type { Env } from "../../../src/settings.ts";
import { keysOf } from "../../support/kept.ts";
import { keepLines } from "../../support/lines.ts";
import {
  ask,
  asks,
  bindings,
  calls,
  committed,
  createImage,
  download,
  expectCalls,
  isCommitted,
  setFaults,
  settled,
  sha512,
  trueBytes,
} from "../../support/scenario.ts";

const SIZE = 2_500_000;
const lines = keepLines();
const file = (id: string) => `GET /v2/images/${id}/file`;

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
    expect(lines("fill.kept")).toMatchObject([{ image_id: image.id, size: SIZE, digest: "sha512" }]);
    await expectCalls(...asks(image.id), file(image.id));

    const hit = await download(image.id);
    expect(hit.headers.get("cache-status")).toBe("glance-edge; hit");
    expect(await sha512(await hit.arrayBuffer())).toBe(image.os_hash_value);
    await expectCalls(...asks(image.id));
  });

  it.each([1, 2, 65_535, 65_536, 65_537, 524_288, 524_289, 1_048_576])(
    "of an image of %i bytes gives and stores all of them",
    async (size) => {
      const image = await createImage({ size });
      expect(await sha512(await (await download(image.id)).arrayBuffer())).toBe(image.os_hash_value);
      await committed(image.id);
      const hit = await download(image.id);
      expect(hit.headers.get("cache-status")).toBe("glance-edge; hit");
      expect(await sha512(await hit.arrayBuffer())).toBe(image.os_hash_value);
      await expectCalls(...asks(image.id), ...asks(image.id), file(image.id));
    },
  );

  it.each([
    ["sha512", "sha512"],
    ["sha384", "sha384"],
    ["sha256", "sha256"],
    ["sha1", "sha1"],
    ["md5", "md5"],
    // What can't be computed here: the checksum is left.
    ["blake2b", "md5"],
  ] as const)("of a record with %s is verified by %s, and what is kept by R2 itself", async (hash, algorithm) => {
    const image = await createImage({ size: 700_000, hash });
    await (await download(image.id)).arrayBuffer();
    await committed(image.id);
    const { checksums } = (await bindings.BUCKET.head(`images/${image.id}`)) ?? {};
    const stored = new Uint8Array(checksums?.[algorithm] ?? new ArrayBuffer());
    const hex = Array.from(stored, (byte) => byte.toString(16).padStart(2, "0")).join("");
    expect(hex).toBe(algorithm === hash && hash !== "md5" ? image.os_hash_value : image.checksum);
    await expectCalls(...asks(image.id), file(image.id));
  });

  it("answers a condition that its record settles without moving the image", async () => {
    const image = await createImage({ size: SIZE });
    const response = await download(image.id, { headers: { "if-none-match": `"${image.os_hash_value}"` } });
    expect([response.status, response.headers.get("cache-status")]).toEqual([304, "glance-edge; fwd=uri-miss"]);
    await expectCalls(...asks(image.id));
    expect(await keysOf(image)).toEqual([]);
  });

  it("asks for the data with the query of the request, as the caller, and by itself", async () => {
    const image = await createImage({ size: 100_000 });
    const response = await ask(`/v2/images/${image.id}/file?prefer=one`, {
      headers: { accept: "text/html", "if-range": '"x"', range: "bytes=1-2" },
    });
    expect((await response.arrayBuffer()).byteLength).toBe(100_000);
    const seen = await calls();
    const data = seen.find(({ path, range }) => path.endsWith("?prefer=one") && range === null);
    expect(data).toMatchObject({ token: "demo", headers: { "accept-encoding": "identity" } });
    expect(data?.headers).not.toHaveProperty("if-range");
    await expectCalls(
      ...seen.map(({ method, path, range }) => `*${method} ${path}${range === null ? "" : ` ${range}`}`),
    );
  });

  it("stores an image whose origin sends chunks instead of a Content-Length", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { chunked: true });
    await (await download(image.id)).arrayBuffer();
    await committed(image.id);
    await expectCalls(...asks(image.id), file(image.id));
  });
});

describe("a body that is not the image never ends well and is never stored:", () => {
  it.each([
    ["corrupt in its first byte", { corruptAt: 0 }],
    ["corrupt in the middle", { corruptAt: SIZE / 2 }],
    ["corrupt in its last byte", { corruptAt: SIZE - 1 }],
    ["one byte long, chunked", { longBy: 1, chunked: true }],
    ["one byte long, with a Content-Length", { longBy: 1 }],
  ])("%s", async (_, faults) => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, faults);
    const response = await download(image.id);
    expect(response.headers.get("content-length")).toBe(String(SIZE));
    await expect(response.arrayBuffer()).rejects.toThrow();
    await settled();
    await expect.poll(() => keysOf(image), { timeout: 5_000 }).toEqual([]);
    expect(await isCommitted(image.id)).toBe(false);
    await expectCalls(...asks(image.id), file(image.id));
  });

  it("its parts are 502 from then on, and the next whole download tries again", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { corruptAt: 7 });
    await expect((await download(image.id)).arrayBuffer()).rejects.toThrow();
    await setFaults(image.id, {});
    for (const range of ["bytes=0-9", `bytes=${SIZE - 10}-`, "bytes=1000000-1999999"]) {
      const part = await download(image.id, { headers: { range } });
      expect([part.status, part.headers.get("cache-status")]).toEqual([
        502,
        "glance-edge; fwd=uri-miss; detail=digest-mismatch",
      ]);
      await part.arrayBuffer();
      await expectCalls(...asks(image.id), ...(range === "bytes=0-9" ? [...asks(image.id), file(image.id)] : []));
    }
    const again = await download(image.id);
    expect(await sha512(await again.arrayBuffer())).toBe(image.os_hash_value);
    await committed(image.id);
    // A client may still hold the first part of the wrong one.
    const part = await download(image.id, { headers: { range: "bytes=1000000-" } });
    expect([part.status, part.headers.get("cache-status")]).toEqual([
      502,
      "glance-edge; fwd=uri-miss; detail=left-alone",
    ]);
    await part.arrayBuffer();
    await expectCalls(...asks(image.id), file(image.id), ...asks(image.id));
  });
});

describe("a part of an image that is not kept", () => {
  it.each([
    ["bytes=5-9", 5, 10],
    ["bytes=0-", 0, SIZE],
    ["bytes=1000000-1999999", 1_000_000, 2_000_000],
    ["bytes=-7", SIZE - 7, SIZE],
    [`bytes=${SIZE - 1}-`, SIZE - 1, SIZE],
  ])("%s is read from the fill that it begins, and that stores the image", async (range, from, to) => {
    const image = await createImage({ size: SIZE });
    const response = await download(image.id, { headers: { range } });
    expect(response.status).toBe(206);
    expect(response.headers.get("cache-status")).toBe("glance-edge; fwd=uri-miss; stored");
    expect(response.headers.get("content-range")).toBe(`bytes ${from}-${to - 1}/${SIZE}`);
    expect(response.headers.get("content-length")).toBe(String(to - from));
    expect(new Uint8Array(await response.arrayBuffer())).toEqual((await trueBytes(image.id)).slice(from, to));
    await committed(image.id);
    await expectCalls(...asks(image.id), file(image.id));
  });
});

describe("what is not stored says why:", () => {
  it.each<[string, Parameters<typeof createImage>[0], string, Partial<Env>]>([
    ["an image that is not active", { size: SIZE, status: "queued" }, "bypass; detail=not-active", {}],
    ["an image that has no digest", { size: SIZE, hash: "none" }, "bypass; detail=no-digest", {}],
    ["an image of no known size", { size: SIZE, overrides: { size: null } }, "bypass; detail=size-unknown", {}],
    ["an image of size 0", { size: 0 }, "bypass; detail=size-unknown", {}],
    [
      "an image over IMAGE_MAX_BYTES",
      { size: SIZE },
      "bypass; detail=too-large",
      { IMAGE_MAX_BYTES: String(SIZE - 1) },
    ],
    [
      "an image that does not fit twice",
      { size: SIZE },
      "uri-miss; detail=no-room",
      { CACHE_MAX_BYTES: String(2 * SIZE - 1) },
    ],
  ])("%s", async (_, options, outcome, env) => {
    const image = await createImage(options);
    const response = await download(image.id, { env });
    expect(response.headers.get("cache-status")).toBe(`glance-edge; fwd=${outcome}`);
    await response.arrayBuffer();
    await settled();
    expect(await keysOf(image)).toEqual([]);
    await expectCalls(...asks(image.id), file(image.id));
  });

  it("an image of exactly IMAGE_MAX_BYTES is stored", async () => {
    const image = await createImage({ size: SIZE });
    await (await download(image.id, { env: { IMAGE_MAX_BYTES: String(SIZE) } })).arrayBuffer();
    await committed(image.id);
    await expectCalls(...asks(image.id), file(image.id));
  });

  it("an origin that encodes the image is passed on as it is", async () => {
    const image = await createImage({ size: 1000 });
    await setFaults(image.id, { contentEncoding: "x-odd" });
    const response = await download(image.id);
    expect(response.headers.get("content-encoding")).toBe("x-odd");
    expect(response.headers.get("cache-status")).toBe("glance-edge; fwd=uri-miss; detail=encoded");
    await response.arrayBuffer();
    await settled();
    expect(await keysOf(image)).toEqual([]);
    // The fill's look, the one that goes alone, and the request itself.
    await expectCalls(...asks(image.id), ...Array(3).fill(file(image.id)));
  });
});
