import { afterEach, describe, expect, it } from "vitest";
import { MAX_PUTS } from "../../../src/fill/object/pool.ts";
import { bucketBut, sliceOf } from "../../support/bindings.ts";
import { broken, fillsHave, isSlice, never, type Put, realPut } from "../../support/fill-bucket.ts";
import { CALM, fillEnv } from "../../support/fill-env.ts";
import {
  bytesOf,
  costOf,
  expectKept,
  expectNothingLeft,
  expectOnce,
  slowImage,
  startReaders,
  takeData,
} from "../../support/fills.ts";
import { keepLines } from "../../support/lines.ts";
import { expectImage } from "../../support/readers.ts";
import { createImage, settled } from "../../support/scenario.ts";

const SIZE = 2_000_000;
const lines = keepLines();

afterEach(() => {
  fillEnv.changes = CALM;
});

describe("a store whose put of a slice", () => {
  it("fails once is asked again", async () => {
    const failed = new Set<string>();
    const put: Put = (key, ...rest) => {
      if (!isSlice(key) || failed.has(key)) return realPut(key, ...rest);
      failed.add(key);
      return broken();
    };
    fillsHave({ put });
    const image = await slowImage({ size: SIZE });
    for (const reader of await startReaders(image, 4)) await expectImage(reader, image);
    await expectOnce(image);
    expect(failed.size).toBeGreaterThan(5);
    await expectKept(image);
  });

  it("fails always sends each reader to the origin, as without an edge, and leaves nothing", async () => {
    fillsHave({ put: broken });
    const image = await createImage({ size: SIZE });
    const readers = await startReaders(image, 3);
    for (const reader of readers) {
      expect(reader.cacheStatus).toBe("glance-edge; fwd=uri-miss; detail=store-unavailable");
      await expectImage(reader, image);
    }
    await settled();
    expect(bytesOf(await takeData(image))).toBeLessThanOrEqual(4.2 * SIZE);
    await expectNothingLeft(image);
  });

  it("fails from the middle on gives all of them the rest from the origin, behind what they have", async () => {
    const put: Put = (key, ...rest) => (isSlice(key) && sliceOf(key) >= 9 ? broken() : realPut(key, ...rest));
    fillsHave({ put });
    const image = await slowImage({ size: SIZE });
    const readers = await startReaders(image, 3);
    for (const reader of readers) {
      const ending = await reader.ended;
      expect(["whole", "cut"]).toContain(ending);
      if (ending === "whole") await expectImage(reader, image);
    }
    await settled();
    await takeData(image);
    await expectNothingLeft(image);
  });

  it("hangs has its object made anew, which goes on from what is stored; all get the image", async () => {
    let hung = 0;
    const put: Put = (key, ...rest) => {
      if (!isSlice(key) || sliceOf(key) < 9 || hung > 0) return realPut(key, ...rest);
      hung++;
      return never();
    };
    fillsHave({ put });
    const image = await slowImage({ size: SIZE });
    const readers = await startReaders(image, 3);
    for (const reader of readers) await expectImage(reader, image);
    expect(hung).toBe(1);
    expect(lines("fill.put-hangs")).toHaveLength(1);
    await settled();
    expect(bytesOf(await takeData(image))).toBeLessThanOrEqual(costOf(image, { missing: 0.6 * SIZE }));
    await expectKept(image);
  });

  it("hangs, all puts of four images at once, does not use up the memory of the fills", async () => {
    let hangs = true;
    let hung = 0;
    const put: Put = (key, ...rest) => {
      if (!hangs || !isSlice(key)) return realPut(key, ...rest);
      hung++;
      return never();
    };
    fillsHave({ put });
    // Each put of the first slices holds a buffer of 1 MiB or more: slices of 8 MiB, of which 8 lead ones.
    fillEnv.changes = { ...fillEnv.changes, SLICE_BYTES: String(8 * 2 ** 20) };
    const images = await Promise.all(Array.from({ length: 4 }, () => createImage({ size: 9 * 2 ** 20 })));
    const readers = images.map((image) => startReaders(image, 1));
    await expect.poll(() => hung, { timeout: 50_000 }).toBe(4 * MAX_PUTS);
    hangs = false;
    for (const [index, reader] of (await Promise.all(readers)).flat().entries()) {
      const image = images[index];
      if (image !== undefined) await expectImage(reader, image);
    }
    await settled();
    await takeData(...images);
    expect(lines("fill.put-hangs").length).toBe(4);
  });
});

describe("a store whose put of the object", () => {
  it("fails always leaves nothing, and all of them have their image", async () => {
    fillsHave({ put: ((key, ...rest) => (isSlice(key) ? realPut(key, ...rest) : broken())) satisfies Put });
    const image = await slowImage({ size: SIZE });
    for (const reader of await startReaders(image, 3)) await expectImage(reader, image);
    await expectOnce(image);
    await expectNothingLeft(image);
  });

  it("hangs has its object made anew, and is asked again", async () => {
    let hung = 0;
    const put: Put = (key, ...rest) => (isSlice(key) || hung++ > 0 ? realPut(key, ...rest) : never());
    fillsHave({ put });
    const image = await slowImage({ size: SIZE });
    for (const reader of await startReaders(image, 3)) await expectImage(reader, image);
    await expectOnce(image);
    await expectKept(image);
    expect(hung).toBe(2);
    expect(lines("fill.put-hangs")).toHaveLength(1);
  });
});

describe("a store that does not answer at all", () => {
  it.each([
    ["fails", broken],
    ["hangs", never],
  ])("because it %s sends each reader to the origin", async (_, out) => {
    const BUCKET = bucketBut({ get: out, put: out, head: out, list: out, delete: out });
    fillEnv.changes = { ...CALM, BUCKET };
    const image = await createImage({ size: SIZE });
    for (const reader of await startReaders(image, 3, { env: { BUCKET } })) await expectImage(reader, image);
    await settled();
    expect(bytesOf(await takeData(image))).toBe(3 * SIZE);
  });

  it.each([
    ["fails", broken],
    ["hangs", never],
  ])("to the Fill alone because it %s sends each reader to the origin", async (_, out) => {
    fillsHave({ get: out, put: out, head: out, list: out, delete: out });
    const image = await createImage({ size: SIZE });
    for (const reader of await startReaders(image, 3)) await expectImage(reader, image);
    await settled();
    expect(bytesOf(await takeData(image))).toBeLessThanOrEqual(3 * SIZE);
  });
});
