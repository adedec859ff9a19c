import { afterEach, describe, expect, it } from "vitest";
import { bucketBut, fillClient } from "../support/bindings.ts";
import { CALM, fillEnv } from "../support/fill-env.ts";
import {
  expectKept,
  expectNothingLeft,
  keysOf,
  objectPut,
  slicesOf,
  startReaders,
  takeData,
} from "../support/fills.ts";
import { keepLines } from "../support/lines.ts";
import { manage } from "../support/manage.ts";
import { expectImage } from "../support/readers.ts";
import { bindings, createImage } from "../support/scenario.ts";
import { TOMBSTONE_MS } from "../support/times.ts";

const SIZE = 3_000_000;
keepLines();

afterEach(() => {
  fillEnv.changes = CALM;
});

describe("an image that is taken out of the cache", () => {
  it("that R2 does not remove is not said to be gone, and goes later by itself", async () => {
    const image = await createImage({ size: SIZE });
    let broken = false;
    const remove = async (keys: string | string[]) => {
      if (broken && [keys].flat().some((key) => key.startsWith("images/"))) throw new Error("R2 is down");
      return bindings.BUCKET.delete(keys);
    };
    fillEnv.changes = { ...CALM, BUCKET: bucketBut({ delete: remove }) };
    const [reader] = await startReaders(image, 1);
    if (reader !== undefined) await expectImage(reader, image);
    await expectKept(image);
    await takeData(image);
    broken = true;
    expect(await fillClient(image.id).remove("always")).toBe(null);
    const removal = await manage(`DELETE /v2/cache/${image.id}`);
    expect(removal.status).toBe(503);
    await removal.arrayBuffer();
    expect(await keysOf(image.id)).toEqual([`images/${image.id}`]);
    broken = false;
    await expectNothingLeft(image);
  });

  it("that R2 can't be rid of does not keep the next attempt from being kept", async () => {
    const image = await createImage({ size: SIZE });
    let broken = false;
    const remove = async (keys: string | string[]) => {
      if (broken && [keys].flat().some((key) => key.startsWith(`fills/${image.id}/`))) throw new Error("R2 is down");
      return bindings.BUCKET.delete(keys);
    };
    fillEnv.changes = { ...CALM, BUCKET: bucketBut({ delete: remove }) };
    const [first] = await startReaders(image, 1);
    if (first !== undefined) await expectImage(first, image);
    await objectPut(image);
    broken = true;
    // Its slices are there, and stay.
    expect(await fillClient(image.id).remove("always")).toBe("removed");
    expect((await slicesOf(image.id)).length).toBeGreaterThan(0);
    await scheduler.wait(TOMBSTONE_MS);
    const [next] = await startReaders(image, 1);
    if (next !== undefined) await expectImage(next, image);
    next?.leave();
    await objectPut(image);
    await takeData(image);
    broken = false;
    await expectKept(image);
  });
});
