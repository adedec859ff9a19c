import { afterEach, describe, expect, it } from "vitest";
import { bucketBut, fillClient, resetFill, sliceOf } from "../support/bindings.ts";
import { CALM, fillEnv } from "../support/fill-env.ts";
import {
  bytesOf,
  expectKept,
  expectNothingLeft,
  SOON,
  slicesOf,
  slowImage,
  startReaders,
  takeData,
} from "../support/fills.ts";
import { type HeldPut, holdPutsOf } from "../support/holding.ts";
import { keepLines } from "../support/lines.ts";
import { expectImage, startReader } from "../support/readers.ts";
import { bindings, createImage, setFaults, settled } from "../support/scenario.ts";

const SIZE = 3_000_000;
const lines = keepLines();

afterEach(() => {
  fillEnv.changes = CALM;
});

describe("a put of a former life of the Fill that lands late", () => {
  it("before the next life's put of the same slice, with the same bytes, is that slice", async () => {
    const held = holdPutsOf(9);
    const image = await slowImage({ size: SIZE });
    const readers = await startReaders(image, 2);
    await expect.poll(() => held.length, SOON).toBe(1);
    await resetFill(image.id);
    for (const { key, bytes, options } of held) await bindings.BUCKET.put(key, bytes, options);
    for (const reader of readers) await expectImage(reader, image);
    await settled();
    expect(bytesOf(await takeData(image))).toBeLessThanOrEqual(2 * SIZE);
    await expectKept(image);
  });

  it("before the next life's put of the same slice, with other bytes, ends the attempt", async () => {
    const held = holdPutsOf(9);
    const image = await slowImage({ size: SIZE });
    const readers = await startReaders(image, 2);
    await expect.poll(() => held.length, SOON).toBe(1);
    await resetFill(image.id);
    for (const { key, bytes, options } of held) {
      bytes[7] = (bytes[7] ?? 0) ^ 1;
      await bindings.BUCKET.put(key, bytes, options);
    }
    for (const reader of readers) {
      const ending = await reader.ended;
      if (ending === "whole") await expectImage(reader, image);
      else expect(ending).toBe("cut");
    }
    await settled();
    await takeData(image);
    await expectNothingLeft(image);
    expect(lines("fill.store-failed").length).toBeGreaterThan(0);
  });

  it("behind the next life's put of the same slice changes nothing", async () => {
    const held = holdPutsOf(9);
    const image = await slowImage({ size: SIZE });
    const readers = await startReaders(image, 2);
    await expect.poll(() => held.length, SOON).toBe(1);
    await resetFill(image.id);
    await expect.poll(() => slicesOf(image.id), SOON).toContain(9);
    for (const { key, bytes, options } of held) {
      bytes[7] = (bytes[7] ?? 0) ^ 1;
      expect(await bindings.BUCKET.put(key, bytes, options)).toBeNull();
    }
    for (const reader of readers) await expectImage(reader, image);
    await settled();
    await takeData(image);
    await expectKept(image);
  });
});

describe("a put of a dropped attempt that lands late", () => {
  it("is none of the next attempt's, whose readers get their image, and is removed", async () => {
    const held = holdPutsOf(9);
    const image = await slowImage({ size: SIZE });
    const first = await startReader(image.id);
    await expect.poll(() => held.length, SOON).toBe(1);
    // It waits for the put that hangs, and is asked again of the object that comes then.
    const removing = fillClient(image.id).remove("always");
    await scheduler.wait(100);
    await resetFill(image.id);
    await removing;
    // Before the last look at what the dropped attempt has left: what lands after that is the clean's.
    const starting = startReader(image.id);
    for (const { key, bytes, options } of held) {
      bytes[7] = (bytes[7] ?? 0) ^ 1;
      expect(await bindings.BUCKET.put(key, bytes, options)).not.toBeNull();
    }
    const next = await starting;
    await expectImage(next, image);
    const ending = await first.ended;
    if (ending === "whole") await expectImage(first, image);
    else expect(ending).toBe("cut");
    await settled();
    await takeData(image);
    await expectKept(image);
  });
});

describe("an image that is taken out of the cache", () => {
  it("leaves nothing of a put that lands after its slices were removed", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 2_000_000 });
    const late: HeldPut[] = [];
    const put = async (...args: Parameters<R2Bucket["put"]>): Promise<R2Object | null> => {
      const [key, body, options] = args;
      if (!key.startsWith("fills/") || sliceOf(key) !== 9) return bindings.BUCKET.put(...args);
      late.push({ key, bytes: (body as Uint8Array<ArrayBuffer>).slice(), options });
      throw new Error("the answer was lost");
    };
    fillEnv.changes = { ...CALM, BUCKET: bucketBut({ put }) };
    const reader = await startReader(image.id);
    await expect.poll(() => late.length, SOON).toBeGreaterThan(0);
    expect(await fillClient(image.id).remove("always")).toBe("removed");
    await expect.poll(() => slicesOf(image.id), SOON).toEqual([]);
    for (const { key, bytes, options } of late.slice(0, 1)) await bindings.BUCKET.put(key, bytes, options);
    expect(await slicesOf(image.id)).toEqual([9]);
    await expectNothingLeft(image);
    const ending = await reader.ended;
    if (ending === "whole") await expectImage(reader, image);
    else expect(ending).toBe("cut");
    await settled();
    await takeData(image);
  });
});
