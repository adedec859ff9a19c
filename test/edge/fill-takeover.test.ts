import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { LEASE_MS } from "../../src/fill/rules.ts";
import { fillClient, fillStub } from "../support/bindings.ts";
import { callsOnErrand, pullByHand } from "../support/hand-puller.ts";
import { dataBytes, dataRanges, expectImage, startReader } from "../support/readers.ts";
import {
  asks,
  bindings,
  cacheImage,
  committed,
  createImage,
  expectCalls,
  goesOn,
  isCommitted,
  setFaults,
  settled,
} from "../support/scenario.ts";

const SIZE = 2_500_000;
const LEAD = 64 * 1024;

describe("a puller that dies without a word", () => {
  it("is followed by a waiter once its lease has run out, from the last stored slice", async () => {
    const image = await createImage({ size: SIZE });
    const dead = await pullByHand(image);
    await dead.store(0);
    const diedAt = Date.now();
    const waiter = await startReader(image.id);
    expect(waiter.cacheStatus).toBe("glance-edge; fwd=uri-miss; collapsed");
    // Late reports of an earlier puller are progress, so the waiter stays; but they renew nobody's lease.
    for (const slice of [1, 2]) {
      await scheduler.wait(2_000);
      await dead.store(slice, "an earlier lease");
    }
    await waiter.has(3 * LEAD);
    expect(Date.now() - diedAt).toBeLessThan(LEASE_MS);
    expect(waiter.received).toBe(3 * LEAD);
    await expectImage(waiter, image);
    expect(Date.now() - diedAt).toBeGreaterThanOrEqual(LEASE_MS - 50);
    await settled();
    await committed(image.id);
    // The waiter and the alarm both see the lease run out: one of them goes on, never both.
    const own = dataRanges(await expectCalls(...asks(image.id), goesOn(image.id)));
    const errand = await callsOnErrand(image);
    expect([...own, ...dataRanges(errand)]).toEqual([`bytes=${3 * LEAD}-`]);
  });

  it("is followed by the alarm when nobody waits, from the last stored slice", async () => {
    const image = await createImage({ size: SIZE });
    const dead = await pullByHand(image);
    for (const slice of [0, 1, 2]) await dead.store(slice);
    await committed(image.id);
    const seen = await callsOnErrand(image);
    expect(dataRanges(seen)).toEqual([`bytes=${3 * LEAD}-`]);
    expect(dataBytes(seen)).toBe(SIZE - 3 * LEAD);
    const hit = await startReader(image.id);
    expect(hit.cacheStatus).toBe("glance-edge; hit");
    await expectImage(hit, image);
    await expectCalls(...asks(image.id));
  });

  it("is followed by the alarm also when an earlier fill of the image was stopped just before", async () => {
    const image = await createImage({ size: SIZE });
    await pullByHand(image);
    await fillClient(image.id).stop();
    await scheduler.wait(300);
    const dead = await pullByHand(image);
    await dead.store(0);
    const alarm = await runInDurableObject(fillStub(image.id), (_, state) => state.storage.getAlarm());
    expect(alarm).not.toBeNull();
    await committed(image.id);
    expect(dataRanges(await callsOnErrand(image))).toEqual([`bytes=${LEAD}-`]);
  });

  it("is followed by the alarm also when that rang too early once", async () => {
    const image = await createImage({ size: SIZE });
    const dead = await pullByHand(image);
    await dead.store(0);
    expect(await runDurableObjectAlarm(fillStub(image.id))).toBe(true);
    expect(await isCommitted(image.id)).toBe(false);
    await committed(image.id);
    expect(dataRanges(await callsOnErrand(image))).toEqual([`bytes=${LEAD}-`]);
  });

  it("and has stored nothing is followed by the next download, from the first byte", async () => {
    const image = await createImage({ size: SIZE });
    await pullByHand(image);
    await scheduler.wait(LEASE_MS + 100);
    const next = await startReader(image.id);
    expect(next.cacheStatus).toBe("glance-edge; fwd=uri-miss; stored");
    await expectImage(next, image);
    await settled();
    await committed(image.id);
    await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file`);
  });
});

it("a report that comes when the fill is committed and forgotten takes nothing away", async () => {
  const image = await createImage({ size: SIZE });
  await cacheImage(image.id);
  const row = await bindings.CATALOG.prepare(
    "SELECT blob, generation FROM images JOIN blobs USING (blob) WHERE image_id = ?",
  )
    .bind(image.id)
    .first<{ blob: string; generation: string }>();
  if (row === null) throw new Error("the image is not in the catalog");
  const { blob, generation } = row;
  const fill = fillStub(image.id);
  await fill.stop();
  expect(await fill.stored("late", generation, blob, 0, "etag", true)).toEqual({ lease: "dropped" });
  expect(await bindings.BUCKET.head(`blobs/${blob}/${generation}/0`)).not.toBeNull();
  // What nobody's catalog names is taken away.
  await bindings.BUCKET.put(`blobs/${blob}/other/0`, "x");
  await fill.stored("late", "other", blob, 0, "etag", false);
  expect(await bindings.BUCKET.head(`blobs/${blob}/other/0`)).toBeNull();
});

describe("a slow client that pulls", () => {
  it("is left behind by its own pull, becomes a reader, and gets its bytes at its own pace", async () => {
    const image = await createImage({ size: 9_000_000 });
    await setFaults(image.id, { rate: 3_000_000 });
    const slow = await startReader(image.id, { pauseAt: 500_000 });
    expect(slow.cacheStatus).toBe("glance-edge; fwd=uri-miss; stored");
    const others = await Promise.all([startReader(image.id), startReader(image.id), startReader(image.id)]);
    for (const reader of others) await expectImage(reader, image);
    expect(slow.received).toBeLessThan(4_000_000);
    // With the slow one out of the way the image is committed too.
    await committed(image.id);
    slow.resume();
    await expectImage(slow, image);
    await settled();
    const seen = await expectCalls(
      ...[slow, ...others].flatMap(() => asks(image.id)),
      `GET /v2/images/${image.id}/file`,
    );
    // The same transfer goes on for all of them.
    expect(dataRanges(seen)).toEqual([null]);
  });

  it("keeps the lease while nobody waits", async () => {
    const image = await createImage({ size: 9_000_000 });
    const slow = await startReader(image.id, { pauseAt: 500_000 });
    await slow.has(500_000);
    await scheduler.wait(6_000);
    slow.resume();
    await expectImage(slow, image);
    await settled();
    await committed(image.id);
    const seen = await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file`);
    expect(dataRanges(seen)).toEqual([null]);
  });
});
