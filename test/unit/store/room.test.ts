/** The room in R2, as a sum in D1. */
import { beforeEach, describe, expect, it } from "vitest";
import { roomFor } from "../../../src/store/least-recently-used.ts";
import { capped } from "../../support/store.ts";
import { catalog, emptied, index, room } from "../../support/stored.ts";

const CAP = 100;
const taker = (attempt: string, size: number) => ({ imageId: `image of ${attempt}`, attempt, size });
const take = (attempt: string, size: number, cap = CAP, now = 1) => room.take(taker(attempt, size), capped(cap), now);

beforeEach(emptied);

describe("room", () => {
  it("is needed for the slices and the object", () => {
    expect(roomFor(10)).toBe(20);
  });

  it("is had up to the very cap, and then denied", async () => {
    expect(await take("a", 30)).toBe(true);
    expect(await take("b", 20)).toBe(true);
    expect(await room.sums()).toEqual({ kept: 0, filling: 100 });
    expect(await take("c", 1)).toBe(false);
    expect(await room.sums()).toEqual({ kept: 0, filling: 100 });
  });

  it("counts kept images", async () => {
    await index("kept", 1, 61);
    expect(await take("a", 20)).toBe(false);
    expect(await take("a", 19)).toBe(true);
    expect(await room.sums()).toEqual({ kept: 61, filling: 38 });
  });

  it("is had once by an attempt, however often it asks", async () => {
    expect(await take("a", 30)).toBe(true);
    expect(await take("a", 30)).toBe(true);
    expect(await take("a", 30, 10)).toBe(true);
    expect(await room.sums()).toEqual({ kept: 0, filling: 60 });
  });

  it("is given back, once and again", async () => {
    await take("a", 30);
    await take("b", 10);
    await room.release("a");
    await room.release("a");
    expect(await room.sums()).toEqual({ kept: 0, filling: 20 });
  });

  it("never exceeds the cap however many ask at the same time", async () => {
    const had = await Promise.all(Array.from({ length: 12 }, (_, at) => take(`a${at}`, 10)));
    expect(had.filter((one) => one)).toHaveLength(5);
    expect(await room.sums()).toEqual({ kept: 0, filling: 100 });
  });

  it("of none lets nothing in", async () => {
    expect(await take("a", 1, 0)).toBe(false);
    expect(await take("a", 1, 1)).toBe(false);
  });

  it("comes to what is kept when a fill has gone all its way", async () => {
    await take("a", 10);
    await catalog.keep({ imageId: "image of a", attempt: "a", size: 10 }, 5);
    expect(await room.sums()).toEqual({ kept: 10, filling: 10 });
    await room.release("a");
    expect(await room.sums()).toEqual({ kept: 10, filling: 0 });
    await catalog.remove("image of a");
    expect(await room.sums()).toEqual({ kept: 0, filling: 0 });
  });

  it("tells who has taken some, the oldest first", async () => {
    await take("b", 10, CAP, 2);
    await take("a", 10, CAP, 3);
    await take("c", 10, CAP, 1);
    expect(await room.takers(2)).toEqual([taker("c", 10), taker("b", 10)]);
    expect(await room.takers(9)).toHaveLength(3);
  });
});
