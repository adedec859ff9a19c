import { runDurableObjectAlarm } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { LEASE_MS } from "../../src/fill/rules.ts";
import { fillStub } from "../support/bindings.ts";
import { pullByHand } from "../support/hand-puller.ts";
import { dataRanges, expectImage, startReader } from "../support/readers.ts";
import { asks, committed, createImage, expectCalls, isCommitted, setFaults, settled } from "../support/scenario.ts";

const SIZE = 2_500_000;
const LEAD = 64 * 1024;

describe("a puller that dies without a word", () => {
  it("is followed by a waiter once its lease has run out, from the last stored slice", async () => {
    const image = await createImage({ size: SIZE });
    const dead = await pullByHand(image);
    const diedAt = Date.now();
    await dead.store(0);
    const waiter = await startReader(image.id);
    expect(waiter.cacheStatus).toBe("glance-edge; fwd=uri-miss; collapsed");
    await waiter.has(LEAD);
    // A late report of an earlier puller is progress, so the waiter stays, and it renews nobody's lease.
    await scheduler.wait(3_300 - (Date.now() - diedAt));
    // A reader takes nothing from the origin while the lease runs, nor does the background.
    await dead.store(1, "an earlier lease");
    await waiter.has(2 * LEAD);
    await runDurableObjectAlarm(fillStub(image.id));
    expect(waiter.received).toBe(2 * LEAD);
    await expectImage(waiter, image);
    expect(Date.now() - diedAt).toBeGreaterThanOrEqual(LEASE_MS);
    await settled();
    await committed(image.id);
    await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file bytes=${2 * LEAD}-`);
  });

  it("is followed by the alarm when nobody waits", async () => {
    const image = await createImage({ size: SIZE });
    const dead = await pullByHand(image);
    for (const slice of [0, 1, 2]) await dead.store(slice);
    await runDurableObjectAlarm(fillStub(image.id));
    expect(await isCommitted(image.id)).toBe(false);
    await committed(image.id);
    // The rights are those that the dead one left; its test mark is not among them, so its call is looked up by path.
    await expectCalls();
    const hit = await startReader(image.id);
    expect(hit.cacheStatus).toBe("glance-edge; hit");
    await expectImage(hit, image);
    await expectCalls(...asks(image.id));
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

describe("a slow client that pulls", () => {
  it("hands on to the others, becomes a reader, and gets its bytes at its own pace", async () => {
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
      `*GET /v2/images/${image.id}/file bytes=N-`,
    );
    // One of the others goes on for all of them.
    expect(dataRanges(seen)).toHaveLength(2);
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
