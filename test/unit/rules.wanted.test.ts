import { describe, expect, it } from "vitest";
import * as rules from "../../src/fill/rules.ts";
import { lease, NOW, STALE_MS, STALL_MS, slice, state } from "../support/fill-states.ts";

const queued = (change: Partial<rules.FillState> = {}) => state({ wanted: true, ...change });

describe("an image that is queued", () => {
  it("is wanted, and what failed before is tried again at once", () => {
    const tired = state({ stored: 1, setbacks: 4, quietUntil: NOW + 300_000 });
    expect(rules.wanted(tired, NOW + 1)).toEqual({ ...tired, wanted: true, setbacks: 0, quietUntil: NOW + 1 });
  });

  it("is wanted no more when it is given up, and nothing else changes", () => {
    const tired = queued({ stored: 1, setbacks: 4 });
    expect(rules.givenUp(tired)).toEqual({ ...tired, wanted: false });
  });

  it("stays wanted in the next generation, with nothing of the last one's set-backs", () => {
    const before = queued({ stored: 2, setbacks: 3, quietUntil: NOW + 9, mismatches: 1, mismatchedAt: 5 });
    const after = rules.newGeneration(before, { blob: "b", generation: "h", slices: 3, sliceBytes: 64 }, NOW);
    expect(after).toMatchObject({ wanted: true, setbacks: 0, quietUntil: 0, mismatches: 1 });
  });

  it("stays wanted while a download pulls it, lets go of it, and stores a slice", () => {
    const { state: pulled } = rules.answer(queued(), slice(0), "new", NOW, STALL_MS);
    const stored = rules.sliceStored(pulled, "new", 0, false, NOW);
    expect(rules.released(stored, "new", true, NOW).wanted).toBe(true);
    expect(rules.committed(stored, NOW).wanted).toBe(true);
  });
});

describe("the background of an image that is queued", () => {
  it.each<[string, Partial<rules.FillState>, number, rules.Duty]>([
    ["begins with nothing", {}, 0, { do: "fill" }],
    ["leaves it to a download that pulls", { lease: lease() }, 0, { do: "wait", until: NOW + 5_000 }],
    ["begins when that one's lease lapsed", { lease: lease() }, 5_000, { do: "fill" }],
    ["waits while it is to be quiet", { quietUntil: NOW + 7 }, 6, { do: "wait", until: NOW + 7 }],
    ["begins once that is over", { quietUntil: NOW + 7 }, 7, { do: "fill" }],
    ["begins after three set-backs", { setbacks: 3 }, 0, { do: "fill" }],
    ["gives it up after four", { setbacks: 4 }, 0, { do: "give-up" }],
    ["gives it up at once, not when its pause is over", { setbacks: 4, quietUntil: NOW + 7 }, 0, { do: "give-up" }],
    ["gives it up after four when something is stored", { stored: 1, setbacks: 4 }, 0, { do: "give-up" }],
    ["gives up what can't be read back after four", { stored: 3, setbacks: 4 }, 0, { do: "give-up" }],
    ["does not while a download pulls it", { setbacks: 4, lease: lease() }, 0, { do: "wait", until: NOW + 5_000 }],
    ["begins again after a mismatch", { mismatches: 1, mismatchedAt: NOW }, 0, { do: "fill" }],
    ["gives it up after two", { mismatches: 2, mismatchedAt: NOW }, 0, { do: "give-up" }],
    ["begins after two long ago", { mismatches: 2, mismatchedAt: NOW - 600_000 }, 0, { do: "fill" }],
    ["goes on with what is stored", { stored: 1 }, 0, { do: "fill" }],
    ["verifies what is whole", { stored: 3 }, 0, { do: "verify" }],
    ["gives up what has lain for a day, before it is forgotten", { stored: 1 }, STALE_MS, { do: "give-up" }],
    ["begins however long it waited with nothing", {}, STALE_MS, { do: "fill" }],
    ["is done with what is committed", { stored: 3, committedAt: NOW }, 60_000, { do: "forget" }],
  ])("%s", (_, of, after, duty) => {
    expect(rules.duty(queued(of), NOW + after, STALE_MS)).toEqual(duty);
  });

  it("that was given up does not begin by itself", () => {
    expect(rules.duty(rules.givenUp(queued()), NOW, STALE_MS)).toEqual({ do: "wait", until: NOW + 60_000 });
  });

  it.each<[string, Partial<rules.FillState>, number, rules.Duty]>([
    ["is forgotten where nothing is stored", { setbacks: 4 }, 60_000, { do: "forget" }],
    ["waits for a download to go on", { stored: 1, setbacks: 4 }, 0, { do: "wait", until: NOW + STALE_MS }],
    ["is still read back where all is stored", { stored: 3, setbacks: 4 }, 0, { do: "verify" }],
    ["is forgotten after a day", { stored: 1 }, STALE_MS, { do: "forget" }],
    ["is left alone for its time", { mismatches: 2, mismatchedAt: NOW }, 0, { do: "wait", until: NOW + 600_000 }],
  ])("that was given up %s", (_, of, after, duty) => {
    expect(rules.duty(rules.givenUp(queued(of)), NOW + after, STALE_MS)).toEqual(duty);
  });

  it("without rights or room is given up, and its next turn begins at once", () => {
    const waiting = rules.exhausted(queued());
    expect(waiting.setbacks).toBe(rules.SETBACKS_TOLERATED);
    expect(rules.duty(waiting, NOW, STALE_MS)).toEqual({ do: "give-up" });
    expect(rules.duty(rules.wanted(rules.givenUp(waiting), NOW), NOW, STALE_MS)).toEqual({ do: "fill" });
  });
});

describe("an unfinished fill", () => {
  const day = { stored: 1 };
  it.each<[string, Partial<rules.FillState>, number, boolean]>([
    ["without a new slice for so long is stale", day, STALE_MS, true],
    ["almost so long is not", day, STALE_MS - 1, false],
    ["with a slice since is not", { ...day, storedAt: NOW + 1 }, STALE_MS, false],
    ["with bytes but no slice since is", { ...day, progressAt: NOW + STALE_MS }, STALE_MS, true],
    ["that is pulled is not", { ...day, lease: lease({ expires: NOW + STALE_MS + 1 }) }, STALE_MS, false],
    ["whose puller's lease lapsed is", { ...day, lease: lease() }, STALE_MS, true],
    ["without any slice is as well", {}, STALE_MS, true],
    ["that is whole and not verified is as well", { stored: 3 }, STALE_MS, true],
    ["that is being read back is not", { stored: 3, progressAt: NOW + 1 }, STALE_MS, false],
    ["whose read-back has stalled is", { stored: 3, progressAt: NOW + 1 }, STALE_MS + 1, true],
    ["that is committed is none", { stored: 3, committedAt: NOW }, STALE_MS, false],
  ])("%s", (_, of, after, stale) => {
    expect(rules.isStale(state(of), STALE_MS, NOW + after)).toBe(stale);
  });
});
