/** What the clock has a fill do, if nothing else happens. */
import { describe, expect, it } from "vitest";
import { duty } from "../../../src/fill/object/duty.ts";
import { SLICES_LINGER_MS } from "../../../src/fill/object/times.ts";
import { spacing } from "../../../src/fill/object/turns.ts";
import { fillIn, NOW, PHASE_NAMES, PHASES } from "../../support/fill-states.ts";

const STALE_MS = 1_000_000;
const dutyOf = (state: Parameters<typeof duty>[0], now = NOW) => duty(state, STALE_MS, now);

describe("an alarm", () => {
  it("pulls for a fill, not before its pause is over", () => {
    const state = fillIn({ ...PHASES.filling, notBefore: NOW + 500 });
    expect(dutyOf(state)).toEqual({ do: "wait", until: NOW + 500 });
    expect(dutyOf(state, NOW + 500)).toEqual({ do: "pull" });
  });

  it("puts what is complete, not before its pause is over", () => {
    const state = fillIn({ ...PHASES.complete, putAt: NOW + 500 });
    expect(dutyOf(state)).toEqual({ do: "wait", until: NOW + 500 });
    expect(dutyOf(state, NOW + 500)).toEqual({ do: "put" });
  });

  it.each(["filling", "complete", "failed, to be resumed"] as const)(
    "drops an attempt that has had no new slice for too long: %s",
    (name) => {
      expect(dutyOf(fillIn(name), NOW + STALE_MS - 1)).not.toEqual({ do: "stop" });
      expect(dutyOf(fillIn(name), NOW + STALE_MS)).toEqual({ do: "stop" });
    },
  );

  it("sweeps the slices of a kept image after a minute", () => {
    expect(dutyOf(fillIn("kept"))).toEqual({ do: "wait", until: NOW + SLICES_LINGER_MS });
    expect(dutyOf(fillIn("kept"), NOW + SLICES_LINGER_MS)).toEqual({ do: "sweep-slices", attempt: "mine" });
  });

  it("forgets a fill that has nothing left to do", () => {
    expect(dutyOf(fillIn("idle"))).toEqual({ do: "forget" });
    expect(dutyOf(fillIn("kept without slices"))).toEqual({ do: "forget" });
  });

  it.each(["failed", "mismatched"] as const)("forgets one that is %s when that has been told long enough", (name) => {
    expect(dutyOf(fillIn(name))).toEqual({ do: "wait", until: NOW + 10_000 });
    expect(dutyOf(fillIn(name), NOW + 10_000)).toEqual({ do: "forget" });
  });

  it.each(["idle", "mismatched", "kept without slices"] as const)(
    "forgets no image that is left alone before its time is over: %s",
    (name) => {
      const state = fillIn(name, { leftAloneUntil: NOW + 50_000 });
      expect(dutyOf(state, NOW + 49_999)).toEqual({ do: "wait", until: NOW + 50_000 });
      expect(dutyOf(state, NOW + 50_000)).toEqual({ do: "forget" });
    },
  );

  it.each(PHASE_NAMES)("sees to tombstones first, each at its time: %s", (name) => {
    const tombstones = [
      { attempt: "a", at: NOW - 1 },
      { attempt: "b", at: NOW },
      { attempt: "c", at: NOW + 1 },
    ];
    expect(dutyOf(fillIn(name, { tombstones }))).toEqual({ do: "bury", attempts: ["a", "b"] });
  });

  it("waits for the first tombstone", () => {
    const tombstones = [9, 3, 5].map((ms) => ({ attempt: String(ms), at: NOW + ms }));
    expect(dutyOf(fillIn("idle", { tombstones }))).toEqual({ do: "wait", until: NOW + 3 });
  });

  it.each(PHASE_NAMES)("never waits for a time that is over: %s", (name) => {
    for (const late of [0, 1, 5_000, 10_000, 60_000, STALE_MS, 10 * STALE_MS]) {
      const state = fillIn(name, { leftAloneUntil: NOW + 20_000, tombstones: [] });
      const due = dutyOf(state, NOW + late);
      if (due.do === "wait") expect(due.until).toBeGreaterThan(NOW + late);
    }
  });
});

describe("the readers' turns", () => {
  it.each([
    [1, 55],
    [100, 550],
    [10_000, 100_050],
  ])("of %i reach %i ms ahead", (readers, ms) => {
    expect(spacing(readers)).toBe(ms);
  });
});
