import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Candidate, leastRecentlyUsed } from "../../../src/store/least-recently-used.ts";

const NOW = 1_000_000;

const candidate = (imageId: string, lastAccessed: number, size: number, inUseUntil = 0, pinned = false): Candidate => ({
  imageId,
  size,
  lastAccessed,
  inUseUntil,
  pinned,
});
/** As one number. */
const orderOf = ({ pinned, lastAccessed }: Candidate) => (pinned ? 1_000 : 0) + lastAccessed;
const names = (candidates: readonly Candidate[]) => candidates.map(({ imageId }) => imageId);

describe("what is given up for room", () => {
  const three = [candidate("new", 30, 10), candidate("old", 10, 10), candidate("middle", 20, 10)];

  it("is the least recently used, as many as it takes", () => {
    expect(names(leastRecentlyUsed(three, 1, NOW).images)).toEqual(["old"]);
    expect(names(leastRecentlyUsed(three, 10, NOW).images)).toEqual(["old"]);
    expect(names(leastRecentlyUsed(three, 11, NOW).images)).toEqual(["old", "middle"]);
    expect(leastRecentlyUsed(three, 11, NOW).bytes).toBe(20);
  });

  it("is nothing when nothing is wanted", () => {
    expect(leastRecentlyUsed(three, 0, NOW)).toEqual({ images: [], bytes: 0 });
    expect(leastRecentlyUsed(three, -5, NOW)).toEqual({ images: [], bytes: 0 });
  });

  it("is all there is when that is not enough", () => {
    const choice = leastRecentlyUsed(three, 31, NOW);
    expect(names(choice.images)).toEqual(["old", "middle", "new"]);
    expect(choice.bytes).toBe(30);
  });

  it("is nothing that is in use, up to that very moment", () => {
    const busy = [candidate("old", 10, 10, NOW + 1), candidate("new", 20, 10, NOW)];
    expect(names(leastRecentlyUsed(busy, 20, NOW).images)).toEqual(["new"]);
    expect(names(leastRecentlyUsed(busy, 20, NOW + 1).images)).toEqual(["old", "new"]);
  });

  it("is pinned only where all others are not enough", () => {
    const some = [candidate("pinned", 1, 10, 0, true), candidate("other", 20, 10), candidate("last", 30, 10)];
    expect(names(leastRecentlyUsed(some, 20, NOW).images)).toEqual(["other", "last"]);
    expect(names(leastRecentlyUsed(some, 21, NOW).images)).toEqual(["other", "last", "pinned"]);
  });

  it("goes by the name where the times are equal", () => {
    const equal = [candidate("b", 10, 10), candidate("a", 10, 10), candidate("c", 10, 10)];
    expect(names(leastRecentlyUsed(equal, 15, NOW).images)).toEqual(["a", "b"]);
  });

  it("leaves the order of what it was given", () => {
    leastRecentlyUsed(three, 30, NOW);
    expect(names(three)).toEqual(["new", "old", "middle"]);
  });

  it("is always idle, never newer than what stays, and not one more than needed", () => {
    const any = fc.record<Candidate>({
      imageId: fc.string({ minLength: 1, maxLength: 3 }),
      size: fc.integer({ min: 1, max: 50 }),
      lastAccessed: fc.nat({ max: 20 }),
      inUseUntil: fc.constantFrom(0, NOW, NOW + 1),
      pinned: fc.boolean(),
    });
    const candidates = fc.uniqueArray(any, { selector: ({ imageId }) => imageId, maxLength: 12 });
    fc.assert(
      fc.property(candidates, fc.integer({ min: 1, max: 400 }), (given, wanted) => {
        const { images, bytes } = leastRecentlyUsed(given, wanted, NOW);
        const stay = given.filter((one) => one.inUseUntil <= NOW && !images.includes(one));
        expect(bytes).toBe(images.reduce((sum, { size }) => sum + size, 0));
        expect(images.every(({ inUseUntil }) => inUseUntil <= NOW)).toBe(true);
        for (const gone of images) {
          for (const kept of stay) expect(orderOf(gone)).toBeLessThanOrEqual(orderOf(kept));
        }
        if (stay.length > 0) expect(bytes).toBeGreaterThanOrEqual(wanted);
        expect(bytes - (images.at(-1)?.size ?? 0)).toBeLessThan(wanted);
      }),
    );
  });
});
