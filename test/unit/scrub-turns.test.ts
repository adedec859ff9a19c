/** Whose turn it is in the scrub, and what it waits for before it calls a blob bad. */
import { beforeEach, describe, expect, it } from "vitest";
import { scrub } from "../../src/upkeep/scrub.ts";
import { bindings } from "../support/env.ts";
import { emptyStore, imageIds, sliceKey, storeImage } from "../support/store.ts";
import {
  clockThatJumps,
  inPauses,
  keepLines,
  NEVER,
  NOW,
  type UpkeepTools,
  unreadableSlices,
  upkeepTools,
} from "../support/upkeep.ts";

const lines = keepLines();
const run = (scrubBytes = 1_000, other: Partial<UpkeepTools> = {}) => scrub(upkeepTools({ scrubBytes }, other), NEVER);

beforeEach(emptyStore);

describe("a blob that never gets verified keeps none of the others from its turn", () => {
  it("though it is the oldest, larger than the budget, and can't be read", async () => {
    const big = await storeImage("big", { size: 500, at: 1_000 });
    await storeImage("a", { at: 2_000 });
    await storeImage("b", { at: 3_000 });
    const slices = unreadableSlices((key) => key.includes(big.generation));
    const runAt = (now: number) => run(50, { slices, now: () => now });
    expect(await runAt(NOW)).toEqual({ verified: 0, bad: 0, bytes: 500 });
    expect(await runAt(NOW + 1)).toEqual({ verified: 2, bad: 0, bytes: 20 });
    // And it gets another turn itself.
    expect(await runAt(NOW + 2)).toEqual({ verified: 0, bad: 0, bytes: 500 });
    expect(lines("scrub.unreadable")).toHaveLength(2);
    expect(await imageIds()).toEqual(["a", "b", "big"]);
  });

  it("though it is the oldest and never done in time", async () => {
    await storeImage("big", { size: 500, at: 1_000 });
    await storeImage("a", { at: 2_000 });
    await storeImage("b", { at: 3_000 });
    // One look before the blob, one as it is noted, and some of its slices.
    const cut = { now: clockThatJumps(5) };
    expect(await scrub(upkeepTools({ scrubBytes: 50 }, cut), NOW + 1)).toEqual({ verified: 0, bad: 0, bytes: 500 });
    expect(await run(50, { now: () => NOW + 1 })).toEqual({ verified: 2, bad: 0, bytes: 20 });
  });
});

describe("a slice that a hit is mending", () => {
  const { BUCKET } = bindings;
  /** Stores an image, takes a slice away, and gives a way to put it back. */
  async function storeBroken() {
    const image = await storeImage("a", { at: 1_000 });
    const key = sliceKey(image, 2);
    const bytes = await (await BUCKET.get(key))?.arrayBuffer();
    if (bytes === undefined) throw new Error("the image has no such slice");
    await BUCKET.delete(key);
    return { image, putBack: () => BUCKET.put(key, bytes) };
  }

  it("is not bad: it was removed, and is back a second later", async () => {
    const { putBack } = await storeBroken();
    await storeImage("b", { at: 2_000 });
    const mended = scheduler.wait(1_000).then(putBack);
    expect(await run()).toEqual({ verified: 2, bad: 0, bytes: 20 });
    await mended;
    expect(await imageIds()).toEqual(["a", "b"]);
    expect(lines("scrub.bad-blob")).toEqual([]);
  });

  it("is waited for once, for three seconds", async () => {
    await storeBroken();
    const pauses = inPauses(async () => undefined);
    expect(await run()).toMatchObject({ bad: 1 });
    expect(pauses).toEqual([3_000]);
  });

  it("is bad when what was put back is not what it was", async () => {
    const { image } = await storeBroken();
    inPauses(() => BUCKET.put(sliceKey(image, 2), "xx"));
    expect(await run()).toMatchObject({ verified: 0, bad: 1 });
  });

  it("is not bad when the store does not answer any more", async () => {
    const { putBack } = await storeBroken();
    let down = false;
    inPauses(async () => {
      down = true;
    });
    expect(await run(1_000, { slices: unreadableSlices(() => down) })).toEqual({ verified: 0, bad: 0, bytes: 10 });
    await putBack();
    expect(await run()).toMatchObject({ verified: 1 });
  });
});
