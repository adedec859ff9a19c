import { describe, expect, it } from "vitest";
import { Waiters } from "../../src/fill/waiters.ts";

/** Longer than a reader counts as around after its last ask. */
const LATER_MS = 10_001;
const later = () => Date.now() + LATER_MS;

describe("those who depend on a fill", () => {
  it("are all who sit, but for the one that is asked about", () => {
    const waiters = new Waiters();
    for (const reader of ["a", "b", "c"]) waiters.sit(reader);
    expect(waiters.others("a", Date.now())).toBe(2);
    expect(waiters.others("nobody", Date.now())).toBe(3);
  });

  it("count while they sit, however long that takes", () => {
    const waiters = new Waiters();
    waiters.sit("a");
    expect(waiters.others("b", later())).toBe(1);
  });

  it("count for a while after they got up, and then no more", () => {
    const waiters = new Waiters();
    waiters.sit("a").leave();
    expect(waiters.others("b", Date.now())).toBe(1);
    expect(waiters.others("b", later())).toBe(0);
    expect(waiters.others("b", Date.now())).toBe(0);
  });

  it("count once when they sit down again", () => {
    const waiters = new Waiters();
    waiters.sit("a").leave();
    waiters.sit("a");
    expect(waiters.others("b", later())).toBe(1);
  });

  it("do not count once they are gone", () => {
    const waiters = new Waiters();
    const seat = waiters.sit("a");
    expect(seat.left).toBe(false);
    waiters.forget("a");
    expect(seat.left).toBe(true);
    seat.leave();
    expect(waiters.others("b", Date.now())).toBe(0);
  });

  it("may come back after they were gone", () => {
    const waiters = new Waiters();
    waiters.sit("a");
    waiters.forget("a");
    expect(waiters.sit("a").left).toBe(false);
    expect(waiters.others("b", Date.now())).toBe(1);
  });
});

describe("a reader that was answered", () => {
  it("is calm for half a second, on its next seat as well", () => {
    const waiters = new Waiters();
    const seat = waiters.sit("a");
    expect(seat.calmUntil).toBe(0);
    seat.answered(10_000);
    seat.leave();
    expect(waiters.sit("a").calmUntil).toBe(10_500);
    expect(waiters.sit("b").calmUntil).toBe(0);
  });
});

describe("a wait for a change", () => {
  const wait = async (waiters: Waiters, ms: number) => {
    const start = Date.now();
    await waiters.change(ms);
    return Date.now() - start;
  };

  it("ends when all are woken", async () => {
    const waiters = new Waiters();
    const waits = Promise.all([wait(waiters, 60_000), wait(waiters, 60_000)]);
    waiters.wake();
    expect(Math.max(...(await waits))).toBeLessThan(5_000);
  });

  it("ends when another reader is gone", async () => {
    const waiters = new Waiters();
    waiters.sit("a");
    const waiting = wait(waiters, 60_000);
    waiters.forget("a");
    expect(await waiting).toBeLessThan(5_000);
  });

  it("ends after its time, which may be over already", async () => {
    const waiters = new Waiters();
    expect(await wait(waiters, 30)).toBeGreaterThanOrEqual(25);
    expect(await wait(waiters, -5)).toBeLessThan(5_000);
  });

  it("is not ended by a wake before it began", async () => {
    const waiters = new Waiters();
    waiters.wake();
    expect(await wait(waiters, 30)).toBeGreaterThanOrEqual(25);
  });

  it("is not ended by the leaving of one that was never there", async () => {
    const waiters = new Waiters();
    const waiting = wait(waiters, 30);
    waiters.forget("nobody");
    expect(await waiting).toBeGreaterThanOrEqual(25);
  });
});
