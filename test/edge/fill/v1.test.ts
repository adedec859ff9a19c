import { describe, expect, it } from "vitest";
import { bytesOf, costOf, expectKept, objectPut, takeData } from "../../support/fills.ts";
import { keepLines } from "../../support/lines.ts";
import { expectImage, startReader } from "../../support/readers.ts";
import { bindings, createImage, type Image, setFaults, settled } from "../../support/scenario.ts";

const SIZE = 3_000_000;
const v1 = { api: "v1" } as const;
keepLines();

async function slowImage(options: object = {}): Promise<Image> {
  const image = await createImage({ size: SIZE, ...options });
  await setFaults(image.id, { rate: 2_000_000 });
  return image;
}

describe("a fill that a v2 download began", () => {
  it("is shared by v1 downloads, also by those that come while all is stored", async () => {
    const image = await slowImage();
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
    const image = await slowImage();
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
    const image = await slowImage({ overrides: { os_hash_value: "0".repeat(128) } });
    const first = await startReader(image.id);
    await first.has(300_000);
    const other = await startReader(image.id, v1);
    expect(await first.ended).toBe("cut");
    expect(await other.ended).toBe("cut");
    await settled();
    expect(bytesOf(await takeData(image))).toBe(SIZE);
  });
});

describe("a fill that a v1 download began", () => {
  it("is shared by other v1 downloads, and kept by the MD5", async () => {
    const image = await slowImage();
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
    const image = await slowImage();
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
