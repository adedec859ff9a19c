import { describe, expect, it } from "vitest";
import { dataRanges, expectImage, startReader } from "../support/readers.ts";
import {
  asks,
  committed,
  createImage,
  expectCalls,
  goesOn,
  isCommitted,
  setFaults,
  settled,
} from "../support/scenario.ts";

const SIZE = 3_000_000;
/** The byte that a read of the third whole slice begins with. */
const SLICE = 512 * 1024;
const file = (id: string) => `GET /v2/images/${id}/file`;

describe("an origin that stalls half way", () => {
  it("sends those who wait to the origin themselves after STALL_SECONDS, for what they have not", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { stallAt: 1_200_000 });
    const puller = await startReader(image.id);
    const waiters = await Promise.all([startReader(image.id), startReader(image.id)]);
    for (const reader of [puller, ...waiters]) await reader.has(2 * SLICE);
    const stalledAt = Date.now();
    await setFaults(image.id, {});
    for (const reader of waiters) {
      await expectImage(reader, image);
      expect(reader.endedAt - stalledAt).toBeGreaterThan(2_000);
      expect(reader.endedAt - stalledAt).toBeLessThan(10_000);
    }
    expect(puller.received).toBe(2 * SLICE);
    // Who comes now does not wait first.
    const next = await startReader(image.id);
    expect(next.received + (next.cacheStatus?.length ?? 0)).toBeGreaterThan(0);
    await expectImage(next, image);
    expect(next.endedAt - next.askedAt).toBeLessThan(2_500);
    puller.leave();
    const seen = await expectCalls(
      ...[puller, ...waiters, next].flatMap(() => asks(image.id)),
      file(image.id),
      goesOn(image.id),
    );
    expect(dataRanges(seen)).toEqual([null, ...Array(3).fill(`bytes=${2 * SLICE}-`)]);
  });

  it("and whose puller then leaves does not keep the fill from being finished", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { stallAt: 1_200_000 });
    const puller = await startReader(image.id);
    await puller.has(2 * SLICE);
    await setFaults(image.id, {});
    puller.leave();
    await committed(image.id);
    const seen = await expectCalls(...asks(image.id), file(image.id), goesOn(image.id));
    expect(dataRanges(seen)).toEqual([null, `bytes=${2 * SLICE}-`]);
  });
});

describe("an origin that cuts the connection", () => {
  it.each([1, 2, 3])("%i times is asked again for what is missing", async (cutTimes) => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { cutAt: 1_300_000, cutTimes });
    const reader = await startReader(image.id);
    await expectImage(reader, image);
    await settled();
    await committed(image.id);
    const seen = await expectCalls(...asks(image.id), file(image.id), goesOn(image.id));
    expect(dataRanges(seen)).toEqual([null, ...Array(cutTimes).fill(`bytes=${2 * SLICE}-`)]);
  });

  it.each([1, 2])("%i times: those who share the fill notice nothing", async (cutTimes) => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 2_000_000, cutAt: 1_300_000, cutTimes });
    const readers = await Promise.all(Array.from({ length: 4 }, () => startReader(image.id)));
    for (const reader of readers) await expectImage(reader, image);
    await settled();
    await committed(image.id);
    const seen = await expectCalls(...readers.flatMap(() => asks(image.id)), file(image.id), goesOn(image.id));
    expect(dataRanges(seen)).toEqual([null, ...Array(cutTimes).fill(`bytes=${2 * SLICE}-`)]);
  });

  it("at several places is asked again each time", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 2_000_000, cutAt: 100_000, cutTimes: 1 });
    const reader = await startReader(image.id);
    await reader.has(300_000);
    await setFaults(image.id, { cutAt: 2_000_000, cutTimes: 2 });
    await expectImage(reader, image);
    await settled();
    await committed(image.id);
    await expectCalls(...asks(image.id), file(image.id), goesOn(image.id));
  });

  it("for ever cuts all who share the fill, and nothing is committed", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 2_000_000, cutAt: 1_300_000 });
    const readers = await Promise.all([startReader(image.id), startReader(image.id)]);
    for (const reader of readers) {
      expect(await reader.ended).toBe("cut");
      expect(reader.received).toBeLessThanOrEqual(1_300_000);
    }
    await settled();
    expect(await isCommitted(image.id)).toBe(false);
    await expectCalls(...readers.flatMap(() => asks(image.id)), file(image.id), goesOn(image.id));

    // What is stored is kept for the next one.
    await setFaults(image.id, {});
    const next = await startReader(image.id);
    await expectImage(next, image);
    await settled();
    await committed(image.id);
    const seen = await expectCalls(...asks(image.id), goesOn(image.id));
    expect(dataRanges(seen)).not.toContain(null);
  });
});
