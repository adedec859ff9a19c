import { describe, expect, it } from "vitest";
import { expectImage, startReader } from "../support/readers.ts";
import {
  asks,
  committed,
  createImage,
  expectCalls,
  goesOn,
  type Image,
  isCommitted,
  setFaults,
  settled,
  storedSlices,
} from "../support/scenario.ts";

const SIZE = 3_000_000;
/** The last slice, which a sharer gets only with the Fill's word. */
const LAST = SIZE - Math.floor(SIZE / (512 * 1024)) * 512 * 1024;

const slices = (image: Image) => storedSlices(`blobs/sha512-${image.os_hash_value}/`);
const file = (image: Image) => `GET /v2/images/${image.id}/file`;

/** One download of an image whose data is wrong. */
async function wrongDownload(image: Image): Promise<void> {
  const reader = await startReader(image.id);
  expect(reader.cacheStatus).toBe("glance-edge; fwd=uri-miss; stored");
  expect(await reader.ended).toBe("cut");
  await settled();
  await expectCalls(...asks(image.id), file(image), goesOn(image.id));
}

describe("a fill whose data does not match the digest", () => {
  it.each([0, 1_700_000, SIZE - 1])("wrong in byte %i: all who share it are cut before its last bytes", async (at) => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 1_500_000, corruptAt: at });
    const readers = await Promise.all(Array.from({ length: 5 }, () => startReader(image.id)));
    for (const reader of readers) {
      expect(await reader.ended).toBe("cut");
      expect(reader.received).toBeLessThanOrEqual(SIZE - (reader.cacheStatus?.endsWith("stored") ? 64 * 1024 : LAST));
    }
    await settled();
    expect(await isCommitted(image.id)).toBe(false);
    await expect.poll(() => slices(image)).toEqual([]);
    await expectCalls(...readers.flatMap(() => asks(image.id)), file(image));

    await setFaults(image.id, {});
    const next = await startReader(image.id);
    expect(next.cacheStatus).toBe("glance-edge; fwd=uri-miss; stored");
    await expectImage(next, image);
    await settled();
    await committed(image.id);
    await expectCalls(...asks(image.id), file(image), goesOn(image.id));
    const hit = await startReader(image.id);
    await expectImage(hit, image);
    expect(hit.cacheStatus).toBe("glance-edge; hit");
    await expectCalls(...asks(image.id));
  });

  it("is found out by the read-back when no single client saw all of it", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 1_500_000, corruptAt: 100 });
    const puller = await startReader(image.id, { leaveAt: 700_000 });
    const others = await Promise.all([startReader(image.id), startReader(image.id)]);
    expect(await puller.ended).toBe("left");
    for (const reader of others) {
      expect(await reader.ended).toBe("cut");
      expect(reader.received).toBeLessThanOrEqual(SIZE - LAST);
    }
    await settled();
    expect(await isCommitted(image.id)).toBe(false);
    await expect.poll(() => slices(image)).toEqual([]);
    await expectCalls(...[puller, ...others].flatMap(() => asks(image.id)), file(image), goesOn(image.id));
  });

  it("twice in a row is left alone: right bytes pass, wrong ones are cut, and nothing is stored", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { corruptAt: 5 });
    await wrongDownload(image);
    await wrongDownload(image);
    const wrong = await startReader(image.id);
    expect(wrong.cacheStatus).toBe("glance-edge; fwd=uri-miss; detail=left-alone");
    expect(await wrong.ended).toBe("cut");
    expect(wrong.received).toBeLessThan(SIZE);
    await setFaults(image.id, {});
    const right = await startReader(image.id);
    expect(right.cacheStatus).toBe("glance-edge; fwd=uri-miss; detail=left-alone");
    await expectImage(right, image);
    await settled();
    expect(await isCommitted(image.id)).toBe(false);
    await expect.poll(() => slices(image)).toEqual([]);
    await expectCalls(...asks(image.id), ...asks(image.id), file(image), file(image));
  });

  it("once, and right the next time, begins to count anew", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { longBy: 1 });
    await wrongDownload(image);
    await setFaults(image.id, {});
    const right = await startReader(image.id);
    await expectImage(right, image);
    await settled();
    await committed(image.id);
    await expectCalls(...asks(image.id), file(image), goesOn(image.id));
  });
});
