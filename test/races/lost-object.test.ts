import { describe, expect, it } from "vitest";
import { expectKept, expectOnce, objectPut, startReaders, takeData } from "../support/fills.ts";
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
