import { describe, expect, it } from "vitest";
import { dataBytes, dataRanges, expectImage, startReader } from "../support/readers.ts";
import {
  asks,
  committed,
  createImage,
  download,
  expectCalls,
  goesOn,
  setFaults,
  settled,
  sha512,
} from "../support/scenario.ts";

/** The last slice is less than 1 %, so that a client can leave at 99 % and not have all. */
const SIZE = 16 * 512 * 1024 + 80_000;
const RATE = 4_000_000;
/** Others must not wait for the lease of one who left to run out, which takes 5 s. */
const GAP_MS = 4_000;
/** What an origin that is cut off has sent and nobody read: it is in socket buffers, and a moment's time. */
const IN_FLIGHT = 4_000_000;

async function slowImage() {
  const image = await createImage({ size: SIZE });
  await setFaults(image.id, { rate: RATE });
  return image;
}

describe("a client that pulls and leaves", () => {
  it.each([1, 50, 99])("at %i percent: the others go on without a gap", async (percent) => {
    const image = await slowImage();
    const puller = await startReader(image.id, { leaveAt: (SIZE * percent) / 100 });
    const others = await Promise.all([startReader(image.id), startReader(image.id), startReader(image.id)]);
    expect(puller.cacheStatus).toBe("glance-edge; fwd=uri-miss; stored");
    expect(await puller.ended).toBe("left");
    expect(puller.received).toBeLessThan(SIZE);
    for (const reader of others) {
      expect(reader.cacheStatus).toBe("glance-edge; fwd=uri-miss; collapsed");
      await expectImage(reader, image);
      expect(reader.longestGapMs).toBeLessThan(GAP_MS);
    }
    await settled();
    await committed(image.id);
    const four = [1, 2, 3, 4].flatMap(() => asks(image.id));
    const seen = await expectCalls(...four, `GET /v2/images/${image.id}/file`, goesOn(image.id));
    // One goes on for all. At 99 % the slice in hand may be the last one.
    expect(dataRanges(seen).length).toBeLessThanOrEqual(2);
    expect(dataBytes(seen)).toBeGreaterThanOrEqual(SIZE);
    expect(dataBytes(seen)).toBeLessThan(SIZE + IN_FLIGHT);
  });

  it.each([1, 50, 99])("alone, at %i percent: the fill is finished in the background", async (percent) => {
    const image = await slowImage();
    const puller = await startReader(image.id, { leaveAt: (SIZE * percent) / 100 });
    expect(await puller.ended).toBe("left");
    await settled();
    await committed(image.id);
    const seen = await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file`, goesOn(image.id));
    expect(dataRanges(seen).length).toBeLessThanOrEqual(2);
    expect(dataBytes(seen)).toBeLessThan(SIZE + IN_FLIGHT);

    const hit = await download(image.id);
    expect(hit.headers.get("cache-status")).toBe("glance-edge; hit");
    expect(await sha512(await hit.arrayBuffer())).toBe(image.os_hash_value);
    await expectCalls(...asks(image.id));
  });

  it("with all others at 50 %: the fill is finished in the background, once", async () => {
    const image = await slowImage();
    const readers = await Promise.all(Array.from({ length: 5 }, () => startReader(image.id)));
    await Promise.all(readers.map((reader) => reader.has(SIZE / 2)));
    for (const reader of readers) reader.leave();
    for (const reader of readers) expect(await reader.ended).toBe("left");
    await settled();
    await committed(image.id);
    const seen = await expectCalls(
      ...readers.flatMap(() => asks(image.id)),
      `GET /v2/images/${image.id}/file`,
      goesOn(image.id),
    );
    expect(dataRanges(seen)).toHaveLength(2);
    expect(dataBytes(seen)).toBeLessThan(SIZE + IN_FLIGHT);
  });

  it("one after the other: each time another goes on", async () => {
    const image = await slowImage();
    const readers = await Promise.all(
      [0.2, 0.4, 0.6, 0.8, 2].map((part) => startReader(image.id, { leaveAt: SIZE * part })),
    );
    const last = readers.at(-1);
    if (last === undefined) throw new Error("no reader");
    await expectImage(last, image);
    expect(last.longestGapMs).toBeLessThan(GAP_MS);
    await settled();
    await committed(image.id);
    const seen = await expectCalls(
      ...readers.flatMap(() => asks(image.id)),
      `GET /v2/images/${image.id}/file`,
      goesOn(image.id),
    );
    expect(dataRanges(seen).length).toBeLessThanOrEqual(5);
  });
});
