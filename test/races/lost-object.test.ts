import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CALM, fillEnv } from "../support/fill-env.ts";
import { expectKept, expectOnce, objectPut, SOON, startReaders, takeData } from "../support/fills.ts";
import { keepLines } from "../support/lines.ts";
import { expectImage, startReader } from "../support/readers.ts";
import { bindings, createImage } from "../support/scenario.ts";

const SIZE = 3_000_000;
keepLines();

describe("a kept image that is replaced by hand under a Fill that knows it", () => {
  it("is put again from the slices", async () => {
    const image = await createImage({ size: SIZE });
    await expectImage(await startReader(image.id), image);
    await objectPut(image);
    await bindings.BUCKET.put(`images/${image.id}`, new Uint8Array(SIZE));
    for (const reader of await startReaders(image, 4)) await expectImage(reader, image);
    await expectOnce(image);
    await expectKept(image);
    const hit = await startReader(image.id);
    expect(hit.cacheStatus).toBe("glance-edge; hit");
    await expectImage(hit, image);
    await takeData(image);
  });
});

describe("a part of a kept image that is not what it was, under a Fill that knows it", () => {
  const SLICE = 512 * 1024;

  beforeEach(() => {
    fillEnv.changes = { ...CALM, OBJECT_MAX_BYTES: String(SLICE) };
  });

  afterEach(() => {
    fillEnv.changes = CALM;
  });

  it.each<[string, (key: string) => Promise<unknown>]>([
    ["lost", (key) => bindings.BUCKET.delete(key)],
    ["shortened", (key) => bindings.BUCKET.put(key, new Uint8Array(SLICE / 2))],
    ["other bytes", (key) => bindings.BUCKET.put(key, new Uint8Array(SLICE))],
  ])("because it is %s is put again from the slices, however many come meanwhile", async (_, tamper) => {
    const image = await createImage({ size: 4 * SLICE + 7 });
    await expectImage(await startReader(image.id), image);
    await objectPut(image);
    const { objects } = await bindings.BUCKET.list({ prefix: `parts/${image.id}/` });
    await tamper(objects[2]?.key ?? "");
    const next = async () => {
      const reader = await startReader(image.id);
      return [await reader.ended, reader.cacheStatus];
    };
    expect(await next()).toEqual(["cut", "glance-edge; hit"]);
    await expect.poll(next, { ...SOON, timeout: 10_000 }).toEqual(["whole", "glance-edge; hit"]);
    await expectOnce(image);
  });
});
