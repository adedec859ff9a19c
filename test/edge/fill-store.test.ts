import { describe, expect, it } from "vitest";
import { bucketBut, sliceOf } from "../support/bindings.ts";
import { dataBytes, dataRanges, expectImage, startReader } from "../support/readers.ts";
import {
  asks,
  bindings,
  committed,
  createImage,
  expectCalls,
  goesOn,
  setFaults,
  settled,
} from "../support/scenario.ts";

const SIZE = 6_000_000;
const LEAD = 64 * 1024;

type Put = (...put: Parameters<R2Bucket["put"]>) => Promise<R2Object | null>;

const putBy = (put: Put) => ({ BUCKET: bucketBut({ put }) });

/** An R2 that takes so long for each put of this caller. */
const slowPut = (ms: number) =>
  putBy(async (...put) => {
    await scheduler.wait(ms);
    return bindings.BUCKET.put(...put);
  });

const file = (id: string) => `GET /v2/images/${id}/file`;

describe("a store that is slow to take slices", () => {
  it("does not slow a lone download: it goes on without, and the background finishes the fill later", async () => {
    const image = await createImage({ size: SIZE });
    const reader = await startReader(image.id, { env: slowPut(2_000) });
    expect(reader.cacheStatus).toBe("glance-edge; fwd=uri-miss; stored");
    await expectImage(reader, image);
    // Two slices at a time would take 18 s.
    expect(reader.endedAt - reader.askedAt).toBeLessThan(5_000);
    await settled();
    await committed(image.id);
    const seen = await expectCalls(...asks(image.id), file(image.id), goesOn(image.id));
    expect(dataRanges(seen)).toEqual([null, `bytes=${2 * LEAD}-`]);
  });

  it("is kept pace with while others wait, so that the origin is asked once", async () => {
    const image = await createImage({ size: SIZE });
    const puller = await startReader(image.id, { env: slowPut(400) });
    const others = await Promise.all([startReader(image.id), startReader(image.id), startReader(image.id)]);
    for (const reader of [puller, ...others]) await expectImage(reader, image);
    await settled();
    await committed(image.id);
    const seen = await expectCalls(
      ...[puller, ...others].flatMap(() => asks(image.id)),
      file(image.id),
      goesOn(image.id),
    );
    expect(dataRanges(seen)).toEqual([null]);
    expect(dataBytes(seen)).toBe(SIZE);
  });
});

describe("a store that fails to take a slice", () => {
  it("once each, takes it at the second try: nothing is asked for twice", async () => {
    const image = await createImage({ size: SIZE });
    // As fast as the store with its pauses, so that the store does not fall behind.
    await setFaults(image.id, { rate: 1_000_000 });
    const failed = new Set<number>();
    const env = putBy(async (...put) => {
      const slice = sliceOf(put[0]);
      if (slice < 10 || failed.has(slice)) return bindings.BUCKET.put(...put);
      failed.add(slice);
      throw new Error("out of order");
    });
    const reader = await startReader(image.id, { env });
    await expectImage(reader, image);
    await settled();
    await committed(image.id);
    expect(failed.size).toBeGreaterThan(5);
    const seen = await expectCalls(...asks(image.id), file(image.id));
    expect(dataBytes(seen)).toBe(SIZE);
  });

  it("for good: a lone download goes on without, and the background stores the rest", async () => {
    const image = await createImage({ size: SIZE });
    const reader = await startReader(image.id, { env: failingFrom(10) });
    await expectImage(reader, image);
    await settled();
    await committed(image.id);
    const seen = await expectCalls(...asks(image.id), file(image.id), goesOn(image.id));
    expect(dataRanges(seen)).toEqual([null, `bytes=${3 * 8 * LEAD}-`]);
  });

  it("for good: others who wait go on from there, and all get the image", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 2_000_000 });
    const puller = await startReader(image.id, { env: failingFrom(10) });
    const others = await Promise.all([startReader(image.id), startReader(image.id)]);
    for (const reader of [puller, ...others]) await expectImage(reader, image);
    await settled();
    await committed(image.id);
    const seen = await expectCalls(
      ...[puller, ...others].flatMap(() => asks(image.id)),
      file(image.id),
      goesOn(image.id),
    );
    expect(dataRanges(seen)).toEqual([null, `bytes=${3 * 8 * LEAD}-`]);
  });

  /** An R2 that takes none of this caller's slices from this one on. */
  function failingFrom(slice: number) {
    return putBy((...put) =>
      sliceOf(put[0]) < slice ? bindings.BUCKET.put(...put) : Promise.reject(new Error("out of order")),
    );
  }
});
