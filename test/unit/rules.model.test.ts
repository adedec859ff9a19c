/**
 * The rules of a fill against all that can happen: every order of what readers, their pulls, the background and time can
 * do, for few readers and slices, and long random ones for more. The model is in test/support/fill-model.ts.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Ask } from "../../src/fill/protocol.ts";
import * as rules from "../../src/fill/rules.ts";
import { type Misfortune, type ModelOptions, newWorld } from "../support/fill-model.ts";
import { offers } from "../support/fill-moves.ts";
import { search, taken } from "../support/fill-search.ts";
import { STALE_MS } from "../support/fill-states.ts";
import { type Invariant, Violation } from "../support/fill-violation.ts";

const STALL_MS = 5_000;
const NOW = 10 ** 9;

const NONE: Record<Misfortune, number> = { wrong: 0, slow: 0, blocked: 0, stall: 0, silence: 0, failure: 0, lost: 0 };
const options = (
  readers: number,
  slices: number,
  puts: number,
  misfortunes: Partial<Record<Misfortune, number>>,
  turns = 0,
): ModelOptions => ({ readers, slices, puts, turns, stallMs: STALL_MS, misfortunes: { ...NONE, ...misfortunes } });

/**
 * Together they have each misfortune next to others, as far as it fits into seconds. Three slices tell the first, the
 * middle and the last one apart; puts under way multiply the worlds, so they are searched with two slices, and next to a
 * detached client with one. The long runs below have all of it at once, but only samples.
 */
const SEARCHES = [
  options(3, 3, 0, { wrong: 1 }),
  options(3, 3, 0, { stall: 1 }),
  options(3, 2, 0, { silence: 1 }),
  options(2, 2, 0, { wrong: 2 }),
  options(2, 2, 0, { wrong: 1, slow: 1 }),
  options(2, 2, 0, { wrong: 1, blocked: 1, lost: 1 }),
  options(2, 3, 0, { failure: 1, slow: 1 }),
  options(2, 2, 1, { slow: 1 }),
  options(2, 2, 1, { silence: 1 }),
  options(2, 1, 1, { wrong: 1, blocked: 1 }),
  options(1, 3, 1, { wrong: 1, silence: 1, lost: 1 }),
  // An image that is queued, and fetched without a reader or beside some.
  options(2, 2, 0, { wrong: 1 }, 1),
  options(1, 2, 1, { failure: 1, silence: 1 }, 1),
  options(1, 2, 0, { wrong: 2, failure: 4 }, 2),
];
const found = SEARCHES.map(search);
const worlds = found.flatMap((each) => each.worlds);
const outcomes = new Set(found.flatMap((each) => [...each.outcomes]));
const states = fillStates();

describe("whatever three readers, the background and time do", () => {
  it.each<[string, Invariant]>([
    ["at most one lease lives", "lease"],
    ["what is stored only grows, one slice at a time, without a hole", "stored"],
    ["whoever is told to pull is told the first slice that is not stored", "pull"],
    ["finish is said only of a whole image that a sole puller's gate or a read-back has proven", "finish"],
    ["nobody finishes a client that has wrong bytes", "clean"],
    ["whoever has bytes of a dropped generation is cut, and nobody else", "cut"],
    ["an image is left alone after two mismatches in a row, and only for its time", "left-alone"],
    ["the background is sent to fill only when it may pull", "background"],
    ["a queued image holds a place exactly as long as its fill is at work on it", "place"],
    ["only a right image is committed", "commit"],
  ])("%s", (_, invariant) => {
    expect(found.flatMap((each) => each.violations.get(invariant) ?? [])).toEqual([]);
  });

  it("every way that a client can end does occur", () => {
    expect([...outcomes].filter((outcome) => !outcome.startsWith("detached")).sort()).toEqual([
      "",
      "alone",
      "cut",
      "dead",
      "done",
      "failed",
      "forgotten",
      "left",
    ]);
    expect(worlds.some((world) => world.fill?.committedAt != null)).toBe(true);
    expect(worlds.some((world) => (world.fill?.mismatches ?? 0) > rules.MISMATCHES_TOLERATED - 1)).toBe(true);
  });

  it("a client that was detached from its own pull is finished, alone or not, or refused", () => {
    expect([...outcomes]).toEqual(expect.arrayContaining(["detached done", "detached alone", "detached refused"]));
    expect([...outcomes]).not.toContain("refused");
  });

  it("a reader that waits is told something else within the lease and the stall, if nobody brings anything", () => {
    const bound = rules.LEASE_MS + STALL_MS;
    expect(states.flatMap((fill) => asksAt(fill).filter((ask) => waitOf(fill, ask) > bound))).toEqual([]);
  });

  it("a queued image has the background at work on it until it is stored or given up", () => {
    const wanted = states.filter((fill) => fill.wanted && fill.committedAt === null);
    const begun = (fill: rules.FillState) => rules.duty(fill, startOf(fill), STALE_MS).do;
    const idle = wanted.filter((fill) => !["fill", "verify", "give-up"].includes(begun(fill)));
    expect(idle).toEqual([]);
    // It begins with nothing, goes on, and is committed or given up.
    expect(wanted.some((fill) => fill.stored === 0 && begun(fill) === "fill")).toBe(true);
    expect(wanted.some((fill) => fill.stored === 1 && begun(fill) === "fill")).toBe(true);
    expect(states.some((fill) => fill.wanted && fill.committedAt !== null)).toBe(true);
    expect(new Set(wanted.map(begun))).toEqual(new Set(["fill", "verify", "give-up"]));
    const givenUp = worlds.filter(({ fill, turns }) => turns === 0 && fill?.wanted === false && fill.stored === 0);
    expect(givenUp.some(({ fill }) => fill?.setbacks === rules.SETBACKS_TOLERATED)).toBe(true);
    expect(givenUp.some(({ fill }) => fill?.mismatches === rules.MISMATCHES_TOLERATED)).toBe(true);
  });

  it.each<[string, Attempt]>([
    ["fails", failed],
    ["brings wrong data", wrong],
    ["succeeds", succeeded],
  ])("a queued image gives its place back within two minutes when each attempt %s", (_, attempt) => {
    const wanted = states.filter((fill) => fill.wanted && fill.committedAt === null);
    expect(wanted.filter((fill) => heldFor(fill, attempt) > 120_000)).toEqual([]);
  });

  it("the background comes to an end when all its attempts fail", () => {
    expect(states.filter((fill) => !comesToAnEnd(fill, failed))).toEqual([]);
  });

  it("the background comes to an end when all its attempts succeed", () => {
    expect(states.filter((fill) => !comesToAnEnd(fill, succeeded))).toEqual([]);
  });

  it("after a set-back the background pauses", () => {
    const tasks = states.map((fill) => rules.duty(rules.setBack(fill, NOW), NOW, STALE_MS).do);
    expect(new Set(tasks)).toEqual(new Set(["wait", "forget", "give-up"]));
  });
});

describe("long runs of six readers and five slices", () => {
  it("keep all of it", () => {
    const many = { wrong: 3, slow: 3, blocked: 3, stall: 3, silence: 3, failure: 3, lost: 2 };
    const all = { ...options(6, 5, 2, many, 3), stallMs: 20_000 };
    const start = newWorld(all);
    const run = (picks: readonly number[]): void => {
      let world = start;
      for (const pick of picks) {
        const moves = offers(world, all);
        const next = moves.length === 0 ? world : taken(moves[pick % moves.length]?.take ?? (() => world));
        if (next instanceof Violation) throw next;
        world = next;
      }
    };
    const picks = fc.array(fc.nat({ max: 10_000 }), { minLength: 100, maxLength: 250 });
    fc.assert(fc.property(picks, run), { numRuns: 150 });
  });
});

/** When the background may begin at the earliest. */
function startOf({ lease, quietUntil }: rules.FillState): number {
  return Math.max(NOW, lease?.expires ?? 0, quietUntil);
}

/** Each fill state that occurs, once, as of `NOW`. */
function fillStates(): rules.FillState[] {
  const states = new Map<string, rules.FillState>();
  for (const { fill, now } of worlds) {
    if (fill === null) continue;
    const shift = NOW - now;
    const state: rules.FillState = {
      ...fill,
      generation: "generation",
      witness: fill.witness === null ? null : fill.witness === fill.lease?.id ? "lease" : "another lease",
      lease: fill.lease === null ? null : { id: "lease", reader: "", expires: fill.lease.expires + shift },
      committedAt: fill.committedAt === null ? null : fill.committedAt + shift,
      progressAt: fill.progressAt + shift,
      storedAt: fill.storedAt + shift,
      received: 0,
      mismatchedAt: fill.mismatches === 0 ? 0 : fill.mismatchedAt + shift,
      quietUntil: Math.max(NOW, fill.quietUntil + shift),
    };
    states.set(JSON.stringify(state), state);
  }
  return [...states.values()];
}

/** All that a reader of this generation may ask. */
function asksAt(fill: rules.FillState): Ask[] {
  const slices = Array.from({ length: fill.slices }, (_, slice): Ask["need"] => ({ what: "slice", slice }));
  const verdict: Ask["need"][] = fill.stored === fill.slices ? [{ what: "verdict" }] : [];
  return [...slices, ...verdict].map((need) => ({ reader: "reader", generation: fill.generation, need }));
}

/** How long a reader that asks every second waits, ms; the holder of the lease lives, or is dead: the longer of both. */
function waitOf(fill: rules.FillState, ask: Ask): number {
  return Math.max(
    ...[true, false].map((lives) => {
      let state = fill;
      for (let waited = 0; waited <= 600_000; waited += 1_000) {
        const now = NOW + waited;
        if (lives && rules.isPulled(state, now)) state = rules.alive(state, "lease", 0, now);
        if (rules.answer(state, ask, "new lease", now, STALL_MS).answer.do !== "wait") return waited;
      }
      return Number.POSITIVE_INFINITY;
    }),
  );
}

/** How long a queued image keeps its place, ms, when each attempt ends so and no client comes by. */
function heldFor(fill: rules.FillState, attempt: Attempt): number {
  let state = fill;
  let now = NOW;
  for (let alarms = 0; alarms < 100; alarms++) {
    const task = rules.duty(state, now, STALE_MS);
    if (task.do === "give-up" || state.committedAt !== null) return now - NOW;
    if (task.do === "forget") break;
    if (task.do === "wait") now = task.until;
    else state = attempt(state, task.do, now);
  }
  return Number.POSITIVE_INFINITY;
}

type Attempt = (state: rules.FillState, task: "fill" | "verify", now: number) => rules.FillState;

/** A pull that brings nothing and gives the lease back; a read-back that the store refuses. */
const failed: Attempt = (state, task, now) => {
  if (task === "verify") return rules.setBack(state, now);
  return rules.setBack(rules.released(pulledByBackground(state, now), "background", false, now), now);
};

const wrong: Attempt = (state, task, now) => {
  if (task === "fill") return succeeded(state, task, now);
  return rules.newGeneration(rules.mismatched(state, now), state, now);
};

const succeeded: Attempt = (state, task, now) => {
  if (task === "verify") return rules.committed(state, now);
  let next = pulledByBackground(state, now);
  while (next.stored < next.slices) next = rules.sliceStored(next, "background", next.stored, false, now);
  return next;
};

function pulledByBackground(state: rules.FillState, now: number): rules.FillState {
  const ask: Ask = { reader: "background", generation: null, need: { what: "slice", slice: state.stored } };
  const step = rules.answer(state, ask, "background", now, STALL_MS);
  if (step.answer.do !== "pull") throw new Error(`the background is told ${step.answer.do}`);
  return step.state;
}

/** Whether the alarms of a fill that nobody asks for any more end, without one ever ringing twice for the same thing. */
function comesToAnEnd(fill: rules.FillState, attempt: Attempt): boolean {
  let state = fill;
  let now = NOW;
  for (let alarms = 0, atOnce = 0; alarms < 1_000; alarms++) {
    const task = rules.duty(state, now, STALE_MS);
    if (task.do === "forget") return true;
    if (task.do === "wait") {
      if (task.until <= now) return false;
      now = task.until;
      atOnce = 0;
    } else {
      if (++atOnce > 2) return false;
      state = task.do === "give-up" ? rules.givenUp(state) : attempt(state, task.do, now);
    }
  }
  return false;
}
