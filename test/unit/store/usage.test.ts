import { describe, expect, it } from "vitest";
import { Usage } from "../../../src/store/usage.ts";

const T = 1_000_000;
/** So few that a client has them at once. */
const BYTES = 1_000;

describe("what is counted", () => {
  it("is one entry per image, with its hits and the time of the last one", () => {
    const usage = new Usage();
    usage.hit("a", BYTES, T);
    usage.hit("b", BYTES, T + 1);
    usage.hit("a", BYTES, T + 5);
    expect(usage.take(T + 10)).toEqual([
      { imageId: "a", hits: 2, lastAccessed: T + 5, inUseUntil: T + 5 + 60_000 },
      { imageId: "b", hits: 1, lastAccessed: T + 1, inUseUntil: T + 1 + 60_000 },
    ]);
    expect(usage.take(T + 11)).toEqual([]);
  });

  it.each([
    [0, 60_000],
    [60_000_000, 60_000],
    [60_001_000, 60_001],
    [2 ** 31, 2_147_484],
  ])("of a download of %i bytes is in use for %i ms: a slow client takes so long", (bytes, ms) => {
    const usage = new Usage();
    usage.hit("a", bytes, T);
    const [use] = usage.take(T);
    expect(Math.ceil((use?.inUseUntil ?? 0) - T)).toBe(ms);
  });

  it("of several downloads is in use until the last of them may have ended", () => {
    const usage = new Usage();
    usage.hit("a", 2 ** 31, T);
    usage.hit("a", 10, T + 5);
    expect(usage.take(T)).toEqual([{ imageId: "a", hits: 2, lastAccessed: T + 5, inUseUntil: T + 2 ** 31 / 1_000 }]);
  });

  it("comes back when it could not be written, together with what came meanwhile, and never goes back in time", () => {
    const usage = new Usage();
    usage.hit("a", BYTES, T);
    usage.hit("b", BYTES, T);
    const lost = usage.take(T);
    usage.hit("a", BYTES, T + 100);
    usage.giveBack(lost);
    expect(usage.take(T + 200)).toEqual([
      { imageId: "a", hits: 2, lastAccessed: T + 100, inUseUntil: T + 100 + 60_000 },
      { imageId: "b", hits: 1, lastAccessed: T, inUseUntil: T + 60_000 },
    ]);
  });
});

describe("who writes", () => {
  it("is the first who asks, at once; the others leave it to that one", () => {
    const usage = new Usage();
    expect(usage.planWrite(T)).toBe(0);
    expect(usage.planWrite(T)).toBeNull();
    expect(usage.planWrite(T + 500)).toBeNull();
  });

  it("waits until a second after the last write", () => {
    const usage = new Usage();
    expect(usage.planWrite(T)).toBe(0);
    usage.take(T);
    expect(usage.planWrite(T + 10)).toBe(990);
    expect(usage.planWrite(T + 20)).toBeNull();
    usage.take(T + 1_000);
    expect(usage.planWrite(T + 5_000)).toBe(0);
  });

  it("is another one when the first has not written two seconds after it should have", () => {
    const usage = new Usage();
    expect(usage.planWrite(T)).toBe(0);
    usage.take(T);
    expect(usage.planWrite(T)).toBe(1_000);
    expect(usage.planWrite(T + 2_999)).toBeNull();
    expect(usage.planWrite(T + 3_000)).toBe(0);
    expect(usage.planWrite(T + 3_001)).toBeNull();
  });

  it("is one a second however many hits there are, and no hit is lost", () => {
    const usage = new Usage();
    let due = Number.POSITIVE_INFINITY;
    let writes = 0;
    let counted = 0;
    const writeIfDue = (now: number) => {
      if (now < due) return;
      writes++;
      counted += usage.take(now).reduce((sum, use) => sum + use.hits, 0);
      due = Number.POSITIVE_INFINITY;
    };
    // A thousand hits in five seconds.
    for (let now = T; now < T + 5_000; now += 5) {
      writeIfDue(now);
      usage.hit("a", BYTES, now);
      const delay = usage.planWrite(now);
      if (delay !== null) due = now + delay;
    }
    writeIfDue(due);
    expect(counted).toBe(1_000);
    expect(writes).toBeLessThanOrEqual(6);
  });
});
