import { afterEach, describe, expect, it } from "vitest";
import type { Env } from "../../../src/settings.ts";
import { bucketBut, sliceOf } from "../../support/bindings.ts";
import { fillsHave, isSlice, type Put, realPut } from "../../support/fill-bucket.ts";
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
import { bindings, createImage, type Image, settled } from "../../support/scenario.ts";
import { FAILED_MS } from "../../support/times.ts";

const SIZE = 2_000_000;
const lines = keepLines();

type Get = (key: string, options?: R2GetOptions) => Promise<R2ObjectBody | R2Object | null>;

const broken = () => Promise.reject(new Error("R2 is down"));
const never = () => new Promise<never>(() => undefined);

/** Readers that get their slices by another way than the Fill. */
function readersHave(get: Get): Partial<Env> {
  return { BUCKET: bucketBut({ get }) };
}

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

  it("hangs twelve times, for four images at once, does not use up the memory of the fills", async () => {
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
    await expect.poll(() => hung, { timeout: 50_000 }).toBe(12);
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

describe("a store whose get of a slice", () => {
  it("fails once is asked again", async () => {
    const failed = new Set<string>();
    const get: Get = (key, options) => {
      if (!isSlice(key) || failed.has(key)) return bindings.BUCKET.get(key, options ?? {});
      failed.add(key);
      return broken();
    };
    const image = await slowImage({ size: SIZE });
    const [reader] = await startReaders(image, 1, { env: readersHave(get) });
    if (reader !== undefined) await expectImage(reader, image);
    await expectOnce(image);
    expect(failed.size).toBeGreaterThan(5);
    await expectKept(image);
  });

  it.each([0, 5, 10])("fails always for one reader, at slice %i, costs the others nothing", async (slice) => {
    const get: Get = (key, options) =>
      isSlice(key) && sliceOf(key) === slice ? broken() : bindings.BUCKET.get(key, options ?? {});
    const image = await slowImage({ size: SIZE });
    const others = await startReaders(image, 2);
    const [unlucky] = await startReaders(image, 1, { env: readersHave(get) });
    for (const reader of others) await expectImage(reader, image);
    if (unlucky !== undefined) await expectImage(unlucky, image);
    await settled();
    // The rest of its own, at the most.
    expect(bytesOf(await takeData(image))).toBeLessThanOrEqual(2.1 * SIZE);
    await expectKept(image);
  });

  it("hangs for one reader costs the others nothing", async () => {
    const get: Get = (key, options) =>
      isSlice(key) && sliceOf(key) === 3 ? never() : bindings.BUCKET.get(key, options ?? {});
    const image = await slowImage({ size: SIZE });
    const [unlucky] = await startReaders(image, 1, { env: readersHave(get) });
    const others = await startReaders(image, 2);
    for (const reader of others) {
      await expectImage(reader, image);
      expect(reader.endedAt - reader.askedAt).toBeLessThan(5_000);
    }
    if (unlucky !== undefined) await expectImage(unlucky, image);
    await settled();
    expect(bytesOf(await takeData(image))).toBeLessThanOrEqual(2.1 * SIZE);
    await expectKept(image);
  });
});

describe("a slice that is missing", () => {
  it("for those who have bytes is a cut, for others another attempt, and never a download without an end", async () => {
    const image = await slowImage({ size: SIZE });
    const readers = await startReaders(image, 3);
    await Promise.all(readers.map((reader) => reader.has(300_000)));
    const late = await startReaders(image, 1, {
      env: readersHave((key, options) => bindings.BUCKET.get(key, options ?? {})),
    });
    const { objects } = await bindings.BUCKET.list({ prefix: `fills/${image.id}/` });
    await bindings.BUCKET.delete(objects.map(({ key }) => key));
    for (const reader of [...readers, ...late]) {
      const ending = await reader.ended;
      expect(["whole", "cut"]).toContain(ending);
      if (ending === "whole") await expectImage(reader, image);
    }
    await settled();
    await takeData(image);
    await expectNothingWrong(image);
  });

  it("when the object is to be made of it leaves nothing, and the next download fills anew", async () => {
    const image = await createImage({ size: SIZE });
    let gone = false;
    const get: Get = async (key, options) => {
      if (isSlice(key) && sliceOf(key) === 4 && !gone) {
        gone = true;
        await bindings.BUCKET.delete(key);
      }
      return bindings.BUCKET.get(key, options ?? {});
    };
    fillsHave({ get });
    const [reader] = await startReaders(image, 1);
    if (reader !== undefined) await expectImage(reader, image);
    await expect.poll(() => gone, { timeout: 50_000 }).toBe(true);
    await expectNothingLeft(image);
    await expectOnce(image);
    await scheduler.wait(FAILED_MS);
    for (const next of await startReaders(image, 2)) await expectImage(next, image);
    await expectOnce(image);
    await expectKept(image);
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

async function expectNothingWrong(image: Image): Promise<void> {
  await expect
    .poll(async () => (await bindings.BUCKET.list({ prefix: `fills/${image.id}/` })).objects, { timeout: 50_000 })
    .toEqual([]);
}
