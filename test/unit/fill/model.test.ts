/**
 * The rules of a fill against all that can happen: every order of what readers, the pull, the put, stops, restarts and time
 * can do, for few readers; and long random ones for more. The model is in test/support/fill-model.ts.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Fate, movesOf, settle } from "../../support/fill-moves.ts";
import { attempted, type Misfortunes, newWorld, search } from "../../support/fill-search.ts";
import type { Invariant } from "../../support/fill-violation.ts";

const FATES: readonly Fate[] = ["right", "wrong", "break", "hang", "refuse"];

/**
 * Together they have each misfortune next to others, as far as it fits into seconds. Three slices tell the first, the middle
 * and the last one apart; a second reader multiplies the worlds, so two slices are enough next to it.
 */
const SEARCHES: readonly [readers: number, slices: number, Misfortunes][] = [
  [2, 1, { wrong: 2 }],
  [2, 2, { refuse: 1, leave: 1 }],
  [2, 1, { "store-fails": 1, leave: 1 }],
  [2, 1, { "object-lost": 1 }],
  [1, 3, { break: 4 }],
  [1, 3, { wrong: 1, stop: 1 }],
  [1, 3, { wrong: 1, restart: 1 }],
  [1, 2, { break: 1, wrong: 1, restart: 1 }],
  [1, 2, { hang: 1, stop: 1 }],
  [1, 2, { hang: 4 }],
  [1, 2, { stop: 1, "no-room": 1 }],
  [1, 2, { stop: 1, restart: 1 }],
  [1, 1, { stop: 1, restart: 1, "answer-lost": 1 }],
  [1, 1, { stop: 1, restart: 1, "object-lost": 1 }],
  [1, 1, { "put-fails": 4, restart: 1 }],
];
const found = SEARCHES.map(([readers, slices, misfortunes]) => search(readers, slices, misfortunes, FATES));

const INVARIANTS: readonly [string, Invariant][] = [
  ["no client gets bytes of two attempts", "one-attempt"],
  ["no client gets the whole of what the digest did not agree with", "agreed"],
  ["every reader that stays gets an end, and every fill", "ends"],
  ["nothing of a dead attempt is left in the end, and room and index add up", "left-over"],
];

describe("whatever readers, the origin, the store, stops, restarts and time do", () => {
  it.each(INVARIANTS)("%s", (_, invariant) => {
    expect(found.flatMap(({ violations }) => violations.get(invariant) ?? [])).toEqual([]);
  });

  it("every way that a client can end does occur, and every phase of a fill", () => {
    const seen = new Set(found.flatMap((each) => [...each.seen]));
    expect([...seen].sort()).toEqual(
      ["alone", "cut", "done", "failed", "forward", "left", "complete", "filling", "idle", "kept"].sort(),
    );
    expect(Math.min(...found.map(({ worlds }) => worlds))).toBeGreaterThan(100);
  });
});

describe("long runs of five readers", () => {
  it("keep all of it", () => {
    const misfortunes: Misfortunes = {
      wrong: 2,
      break: 4,
      hang: 2,
      refuse: 2,
      "store-fails": 1,
      "no-room": 1,
      "put-fails": 2,
      "answer-lost": 2,
      "object-lost": 2,
      restart: 3,
      stop: 3,
      leave: 2,
    };
    const run = (picks: readonly number[], fate: Fate): void => {
      const world = newWorld(5, 4, misfortunes);
      for (const pick of picks) {
        const moves = movesOf(world);
        moves[pick % moves.length]?.take(world);
      }
      const violation = attempted(() => settle(world, fate));
      if (violation !== null) throw violation;
    };
    const picks = fc.array(fc.nat({ max: 10_000 }), { minLength: 60, maxLength: 200 });
    fc.assert(fc.property(picks, fc.constantFrom(...FATES), run), { numRuns: 150 });
  });
});
