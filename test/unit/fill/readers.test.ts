/** Who follows a fill, and who waits for its next step. */
import { describe, expect, it } from "vitest";
import { Readers } from "../../../src/fill/object/readers.ts";
import { NOW } from "../../support/fill-states.ts";

const LONG = 3_600_000;

describe("readers", () => {
  it("are counted once each, until they say that they leave", () => {
    const readers = new Readers();
    expect(readers.count(NOW)).toBe(0);
    readers.saw("a", NOW);
    readers.saw("b", NOW);
    readers.saw("a", NOW + 1);
    expect(readers.count(NOW + 1)).toBe(2);
    readers.left("a");
    readers.left("never");
    expect(readers.count(NOW + 1)).toBe(1);
  });

  it("that have not asked for half a minute are gone, and not before", () => {
    const readers = new Readers();
    readers.saw("a", NOW);
    readers.saw("b", NOW + 5_000);
    expect(readers.count(NOW + 30_000)).toBe(2);
    expect(readers.count(NOW + 30_100)).toBe(1);
    readers.saw("b", NOW + 34_000);
    expect(readers.count(NOW + 60_000)).toBe(1);
    expect(readers.count(NOW + LONG)).toBe(0);
  });

  it("that have their turn late because they are many are not taken for gone", () => {
    const readers = new Readers();
    for (let reader = 0; reader < 10_000; reader++) readers.saw(String(reader), NOW);
    expect(readers.count(NOW + 130_000)).toBe(10_000);
    expect(readers.count(NOW + 130_100)).toBeLessThan(10_000);
  });

  it("have turns of their own", () => {
    const readers = new Readers();
    expect([1, 2, 3].map(() => readers.turn(NOW))).toEqual([50, 55, 60]);
    expect(readers.turn(NOW + 1_000)).toBe(50);
  });
});

describe("a reader that waits", () => {
  it("is woken by the next step, with all others", async () => {
    const readers = new Readers();
    let woken = 0;
    const waits = [1, 2, 3].map(() => readers.wait(LONG).then(() => woken++));
    await scheduler.wait(1);
    expect(woken).toBe(0);
    readers.wake();
    await Promise.all(waits);
    expect(woken).toBe(3);
  });

  it("is woken when its time is over", async () => {
    await new Readers().wait(1);
  });

  it("is not woken by a step before", async () => {
    const readers = new Readers();
    readers.wake();
    let woken = false;
    const wait = readers.wait(LONG).then(() => {
      woken = true;
    });
    await scheduler.wait(5);
    expect(woken).toBe(false);
    readers.wake();
    await wait;
  });
});
