import { afterEach, describe, expect, it } from "vitest";
import type { Env } from "../../../src/settings.ts";
import { bucketBut, sliceOf } from "../../support/bindings.ts";
import { broken, fillsHave, isSlice, never } from "../../support/fill-bucket.ts";
import { CALM, fillEnv } from "../../support/fill-env.ts";
import {
  bytesOf,
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
keepLines();

type Get = (key: string, options?: R2GetOptions) => Promise<R2ObjectBody | R2Object | null>;

/** Readers that get their slices by another way than the Fill. */
function readersHave(get: Get): Partial<Env> {
  return { BUCKET: bucketBut({ get }) };
}

afterEach(() => {
  fillEnv.changes = CALM;
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

async function expectNothingWrong(image: Image): Promise<void> {
  await expect
    .poll(async () => (await bindings.BUCKET.list({ prefix: `fills/${image.id}/` })).objects, { timeout: 50_000 })
    .toEqual([]);
}
