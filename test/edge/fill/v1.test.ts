import { afterEach, describe, expect, it } from "vitest";
import { CALM, fillEnv } from "../../support/fill-env.ts";
import { bytesOf, costOf, crawl, expectKept, objectPut, slowImage, takeData } from "../../support/fills.ts";
import { keepLines } from "../../support/lines.ts";
import { expectImage, type ReaderOptions, startReader } from "../../support/readers.ts";
import { bindings, createImage, type Image, setFaults, settled } from "../../support/scenario.ts";

afterEach(() => {
  fillEnv.changes = CALM;
});

const SIZE = 3_000_000;
const v1 = { api: "v1" } as const;
keepLines();

describe("a fill that a v2 download began", () => {
  it("is shared by v1 downloads, also by those that come while all is stored", async () => {
    const image = await slowImage({ size: SIZE });
    const first = await startReader(image.id);
    await first.has(300_000);
    const other = await startReader(image.id, v1);
    expect(other.cacheStatus).toBe("glance-edge; fwd=uri-miss; collapsed");
    expect(other.response.headers.get("etag")).toBe(`"${image.checksum}"`);
    await expectImage(first, image);
    await expectImage(other, image);
    await settled();
    expect(bytesOf(await takeData(image))).toBe(SIZE);
    await objectPut(image);
    const hit = await startReader(image.id, v1);
    expect(hit.cacheStatus).toBe("glance-edge; hit");
    await expectImage(hit, image);
    await takeData(image);
    await expectKept(image);
  });

  it("goes on under the right of a v1 download", async () => {
    const image = await slowImage({ size: SIZE });
    await setFaults(image.id, { rate: 2_000_000, cutAt: 1_500_000, cutTimes: 1 });
    const first = await startReader(image.id, { leaveAt: 300_000 });
    const other = await startReader(image.id, v1);
    expect(await first.ended).toBe("left");
    await expectImage(other, image);
    await settled();
    expect(bytesOf(await takeData(image))).toBeLessThanOrEqual(costOf(image, { missing: SIZE * 0.3 }));
    await expectKept(image);
  });

  it("whose digest does not agree is cut for the v1 downloads as well, though their MD5 would", async () => {
    const image = await slowImage({ size: SIZE, overrides: { os_hash_value: "0".repeat(128) } }, 1_000_000);
    const first = await startReader(image.id);
    await crawl(image);
    const other = await startReader(image.id, v1);
    await setFaults(image.id, { rate: 100_000_000 });
    expect(await first.ended).toBe("cut");
    expect(await other.ended).toBe("cut");
    await settled();
    expect(bytesOf(await takeData(image))).toBe(SIZE);
  });
});

describe("an image that is kept in parts", () => {
  const inParts = { ...CALM, OBJECT_MAX_BYTES: String(2 ** 20) };
  const attemptOf = async ({ id }: Image) => (await bindings.BUCKET.head(`images/${id}`))?.customMetadata?.attempt;
  const download = async (image: Image, options: ReaderOptions = {}) => {
    const reader = await startReader(image.id, options);
    await expectImage(reader, image);
    await settled();
    return { status: reader.cacheStatus, bytes: bytesOf(await takeData(image)) };
  };

  it("by v2 is no copy for v1, which goes alone and does not have it fetched anew", async () => {
    fillEnv.changes = inParts;
    const image = await createImage({ size: SIZE });
    await download(image);
    await expectKept(image);
    const kept = await attemptOf(image);
    const other = await download(image, v1);
    expect(other).toEqual({ status: "glance-edge; fwd=uri-miss; detail=fill-weaker", bytes: SIZE });
    expect(await attemptOf(image)).toBe(kept);
    expect(await download(image)).toEqual({ status: "glance-edge; hit", bytes: 0 });
  });

  it("by v1 is fetched by v2 once, and then stays", async () => {
    fillEnv.changes = inParts;
    const image = await createImage({ size: SIZE });
    await download(image, v1);
    await expectKept(image);
    expect(await download(image, v1)).toEqual({ status: "glance-edge; hit", bytes: 0 });
    expect(await download(image)).toEqual({ status: "glance-edge; fwd=uri-miss; stored", bytes: SIZE });
    await expectKept(image);
    expect((await download(image, v1)).bytes).toBe(SIZE);
    expect(await download(image)).toEqual({ status: "glance-edge; hit", bytes: 0 });
  });
});

describe("a fill that a v1 download began", () => {
  it("is shared by other v1 downloads, and kept by the MD5", async () => {
    const image = await slowImage({ size: SIZE });
    const first = await startReader(image.id, v1);
    await first.has(300_000);
    const other = await startReader(image.id, v1);
    expect(other.cacheStatus).toBe("glance-edge; fwd=uri-miss; collapsed");
    await expectImage(first, image);
    await expectImage(other, image);
    await settled();
    expect(bytesOf(await takeData(image))).toBe(SIZE);
    await expectKept(image);
    const object = await bindings.BUCKET.head(`images/${image.id}`);
    expect(object?.customMetadata?.kind).toBe("image");
  });

  it("is not enough for a v2 download, which goes alone through the gate of its own digest", async () => {
    const image = await slowImage({ size: SIZE });
    // Slow enough for another one to come while it runs, on any machine.
    await setFaults(image.id, { rate: 600_000 });
    const first = await startReader(image.id, v1);
    await first.has(300_000);
    const other = await startReader(image.id);
    expect(other.cacheStatus).toBe("glance-edge; fwd=uri-miss; detail=fill-weaker");
    await expectImage(first, image);
    await expectImage(other, image);
    await settled();
    expect(bytesOf(await takeData(image))).toBe(2 * SIZE);
    await expectKept(image);
  });
});
