import { afterEach, describe, expect, it } from "vitest";
import { fillClient } from "../../support/bindings.ts";
import { CALM, fillEnv } from "../../support/fill-env.ts";
import {
  bytesOf,
  deleteImage,
  expectGone,
  expectKept,
  expectNothingLeft,
  SOON,
  startReaders,
  takeData,
} from "../../support/fills.ts";
import { keepLines } from "../../support/lines.ts";
import { expectImage } from "../../support/readers.ts";
import { createImage, setFaults, settled, takeCalls } from "../../support/scenario.ts";

const SIZE = 3_000_000;
keepLines();

afterEach(() => {
  fillEnv.changes = CALM;
});

describe("an image that is deleted", () => {
  it("while it is being filled: its readers get all of it or a cut, and nothing is left", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 2_000_000 });
    const readers = await startReaders(image, 3);
    await Promise.all(readers.map((reader) => reader.has(SIZE / 3)));
    await deleteImage(image);
    for (const reader of readers) {
      const ending = await reader.ended;
      expect(["whole", "cut"]).toContain(ending);
      if (ending === "whole") await expectImage(reader, image);
    }
    await settled();
    await expectGone(image);
    await takeCalls();
  });

  it("while the origin has not sent a byte yet is answered at once", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { delayMs: 4_000 });
    const joining = startReaders(image, 2);
    await expect.poll(async () => (await fillClient(image.id).progress()).fill, SOON).toBe("running");
    const begun = Date.now();
    await deleteImage(image);
    await fillClient(image.id).remove("always");
    expect(Date.now() - begun).toBeLessThan(3_000);
    for (const reader of await joining) await reader.ended;
    await settled();
    await expectGone(image);
    await takeCalls();
  });

  it("and made again under the same id is filled anew, with what it is now", async () => {
    const image = await createImage({ size: SIZE });
    const [reader] = await startReaders(image, 1);
    if (reader !== undefined) await expectImage(reader, image);
    await expectKept(image);
    await deleteImage(image);
    await settled();
    await expectGone(image);
    await takeCalls();
  });
});

describe("an image that is taken out of the cache", () => {
  it("while clients read its fill is not taken from them", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 2_000_000 });
    const readers = await startReaders(image, 2);
    await Promise.all(readers.map((reader) => reader.has(300_000)));
    expect(await fillClient(image.id).remove("unless-read")).toBe("busy");
    for (const reader of readers) await expectImage(reader, image);
    await settled();
    expect(bytesOf(await takeData(image))).toBe(SIZE);
    await expectKept(image);
    expect(await fillClient(image.id).remove("unless-read")).toBe("removed");
    await expectNothingLeft(image);
    expect(await fillClient(image.id).remove("always")).toBe("nothing");
  });
});
