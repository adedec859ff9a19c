/** Whose turn it is in the scrub. */

import { beforeEach, describe, expect, it } from "vitest";
import { scrub } from "../../../src/upkeep/scrub.ts";
import { keepLines } from "../../support/lines.ts";
import { catalog, emptyStore, imageIds, storeImage } from "../../support/store.ts";
import { clockThatJumps, NEVER, NOW, type UpkeepTools, unreadableObjects, upkeepTools } from "../../support/upkeep.ts";

const lines = keepLines();
const run = (scrubBytes = 1_000, other: Partial<UpkeepTools> = {}) => scrub(upkeepTools({ scrubBytes }, other), NEVER);
/** The ids of the images in the order in which the next scrub would take them. */
const order = async () => (await catalog.leastScrubbed(99)).map(({ imageId }) => imageId).join(" ");

beforeEach(emptyStore);

describe("the scrub", () => {
  it("takes the longest untried first, and goes on with the others next time", async () => {
    await storeImage("c", { at: 1_000 });
    await storeImage("a", { at: 3_000 });
    await storeImage("b", { at: 2_000 });
    expect(await run(20)).toEqual({ verified: 2, bad: 0, bytes: 20 });
    expect(await order()).toBe("a b c");
    expect(await run(20, { now: () => NOW + 1 })).toMatchObject({ verified: 2 });
    expect(await order()).toBe("c a b");
  });

  it("stays within its bytes", async () => {
    for (const imageId of ["a", "b", "c"]) await storeImage(imageId);
    expect(await run(29)).toEqual({ verified: 2, bad: 0, bytes: 20 });
    expect(await run(30)).toEqual({ verified: 3, bad: 0, bytes: 30 });
  });

  it("gives an image that is larger than all its bytes a run of its own", async () => {
    await storeImage("big", { size: 500, at: 2_000 });
    await storeImage("small", { at: 1_000 });
    expect(await run(50)).toEqual({ verified: 1, bad: 0, bytes: 10 });
    expect(await order()).toBe("big small");
    expect(await run(50, { now: () => NOW + 1 })).toEqual({ verified: 1, bad: 0, bytes: 500 });
    expect(await order()).toBe("small big");
  });

  it("begins nothing when its time is over", async () => {
    await storeImage("a", { at: 1_000 });
    await storeImage("b", { at: 2_000 });
    expect(await scrub(upkeepTools({ scrubBytes: 1_000 }), NOW)).toEqual({ verified: 0, bad: 0, bytes: 0 });
    // A look before the first one, and two as it is noted.
    const cut = { now: clockThatJumps(2) };
    expect(await scrub(upkeepTools({ scrubBytes: 1_000 }, cut), NOW + 1)).toEqual({ verified: 1, bad: 0, bytes: 10 });
    expect(await order()).toBe("b a");
  });
});

describe("an image that never gets verified keeps none of the others from its turn", () => {
  it("though it is the oldest, larger than the budget, and can't be read", async () => {
    await storeImage("big", { size: 500, at: 1_000 });
    await storeImage("a", { at: 2_000 });
    await storeImage("b", { at: 3_000 });
    const objects = unreadableObjects((key) => key === "images/big");
    const runAt = (now: number) => run(50, { objects, now: () => now });
    expect(await runAt(NOW)).toEqual({ verified: 0, bad: 0, bytes: 500 });
    expect(await runAt(NOW + 1)).toEqual({ verified: 2, bad: 0, bytes: 20 });
    // And it gets another turn itself.
    expect(await runAt(NOW + 2)).toEqual({ verified: 0, bad: 0, bytes: 500 });
    expect(lines("scrub.unreadable")).toHaveLength(2);
    expect(await imageIds()).toEqual(["a", "b", "big"]);
  });
});
