import { describe, expect, it } from "vitest";
import * as rules from "../../src/fill/rules.ts";
import { FRESH, lease, NOW, STALE_MS, STALL_MS, slice, state } from "../support/fill-states.ts";

describe("a slice that was stored", () => {
  const pulled = state({ stored: 1, lease: lease(), witness: "l", setbacks: 2 });

  it("counts, is progress and keeps the lease", () => {
    expect(rules.sliceStored(pulled, "l", 1, false, NOW + 2_000)).toEqual({
      ...pulled,
      stored: 2,
      progressAt: NOW + 2_000,
      storedAt: NOW + 2_000,
      setbacks: 0,
      lease: lease({ expires: NOW + 7_000 }),
    });
  });

  it.each([0, 2, 3])("out of turn (%i of 1) changes nothing", (number) => {
    expect(rules.sliceStored(pulled, "l", number, false, NOW)).toBe(pulled);
  });

  it("where another one's bytes stood counts, but its puller is no witness any more", () => {
    expect(rules.sliceStored(pulled, "l", 1, true, NOW)).toMatchObject({ stored: 2, witness: null });
  });

  it("by one that lost the lease counts, ends the witness and does not prolong the lease", () => {
    const after = rules.sliceStored(pulled, "old", 1, false, NOW + 2_000);
    expect(after).toMatchObject({ stored: 2, witness: null, lease: lease() });
  });

  it("by one whose lease lapsed while nobody took it counts as before", () => {
    const after = rules.sliceStored(pulled, "l", 1, false, NOW + 10_000);
    expect(after).toMatchObject({ stored: 2, witness: "l", lease: { expires: NOW + 15_000 } });
  });

  it("last ends the lease, and its puller may still be the witness", () => {
    const after = rules.sliceStored(state({ stored: 2, lease: lease(), witness: "l" }), "l", 2, false, NOW);
    expect(after).toMatchObject({ stored: 3, lease: null, witness: "l" });
  });
});

describe("a sign of life", () => {
  const pulled = state({ lease: lease(), received: 10 });

  it.each([
    ["with more bytes is progress", 11, NOW + 1_000],
    ["with no more bytes is none", 10, NOW],
  ])("%s and prolongs the lease", (_, received, progressAt) => {
    const after = rules.alive(pulled, "l", received, NOW + 1_000);
    expect(after).toEqual({ ...pulled, received, progressAt, lease: lease({ expires: NOW + 6_000 }) });
  });

  it("of one that lost the lease changes nothing", () => {
    expect(rules.alive(pulled, "old", 99, NOW + 1_000)).toBe(pulled);
    expect(rules.alive(FRESH, "l", 99, NOW + 1_000)).toBe(FRESH);
  });
});

describe("a lease that is given back", () => {
  it("is free at once, for the background as well", () => {
    expect(rules.released(state({ lease: lease() }), "l", false, NOW)).toMatchObject({ lease: null, quietUntil: NOW });
  });

  it("by a download that goes on alone keeps the background quiet for five seconds", () => {
    const after = rules.released(state({ lease: lease() }), "l", true, NOW);
    expect(after).toMatchObject({ lease: null, quietUntil: NOW + 5_000 });
  });

  it("by one that lost it changes nothing", () => {
    const before = state({ lease: lease() });
    expect(rules.released(before, "old", false, NOW)).toBe(before);
  });

  it("keeps quiet as long as it is told so", () => {
    expect(rules.quiet(FRESH, false, NOW).quietUntil).toBe(NOW + 5_000);
    expect(rules.quiet(state({ quietUntil: NOW + 5_000 }), true, NOW + 1).quietUntil).toBe(NOW + 1);
  });
});

describe("the word of a digest gate", () => {
  it.each([
    ["the witness, with all stored, counts", "l", 3, "l", "agreed"],
    ["the witness, before all is stored, does not", "l", 2, "l", "open"],
    ["another one does not", "l", 3, "other", "open"],
    ["anybody does not once two have stored", null, 3, "l", "open"],
  ] as const)("of %s", (_, witness, stored, id, expected) => {
    expect(rules.gateAgreed(state({ witness, stored }), id).verdict).toBe(expected);
  });
});

describe("the background", () => {
  it.each<[string, Partial<rules.FillState>, number, rules.Duty]>([
    ["waits while somebody pulls", { stored: 1, lease: lease() }, 0, { do: "wait", until: NOW + 5_000 }],
    ["waits for a lease though all is stored", { stored: 3, lease: lease() }, 0, { do: "wait", until: NOW + 5_000 }],
    ["fills when a lease lapsed", { stored: 1, lease: lease() }, 5_000, { do: "fill" }],
    ["fills when nobody pulls", { stored: 1 }, 0, { do: "fill" }],
    ["waits while it is to be quiet", { stored: 1, quietUntil: NOW + 7 }, 6, { do: "wait", until: NOW + 7 }],
    ["fills once that is over", { stored: 1, quietUntil: NOW + 7 }, 7, { do: "fill" }],
    ["fills after three set-backs", { stored: 1, setbacks: 3 }, 0, { do: "fill" }],
    ["waits for a download after four", { stored: 1, setbacks: 4 }, 0, { do: "wait", until: NOW + 86_400_000 }],
    ["gives up after a day without a slice", { stored: 1, setbacks: 4 }, 86_400_000, { do: "forget" }],
    [
      "gives up then, whatever came from the origin meanwhile",
      { stored: 1, setbacks: 4, progressAt: NOW + 86_000_000 },
      86_400_000,
      { do: "forget" },
    ],
    [
      "counts that day from the last slice",
      { stored: 1, setbacks: 4, storedAt: NOW + 5 },
      86_400_000,
      { do: "wait", until: NOW + 86_400_005 },
    ],
    ["verifies when all is stored", { stored: 3 }, 0, { do: "verify" }],
    ["verifies whatever the set-backs", { stored: 3, setbacks: 9 }, 0, { do: "verify" }],
    ["verifies what a gate has agreed with", { stored: 3, verdict: "agreed" }, 0, { do: "verify" }],
    ["waits after a set-back", { stored: 3, quietUntil: NOW + 7 }, 0, { do: "wait", until: NOW + 7 }],
    ["gives up verifying after a day", { stored: 3 }, 86_400_000, { do: "forget" }],
    ["leaves a start to downloads", {}, 0, { do: "wait", until: NOW + 60_000 }],
    ["forgets what never began", {}, 60_000, { do: "forget" }],
    ["remembers a mismatch", { mismatches: 1, mismatchedAt: NOW }, 60_000, { do: "wait", until: NOW + 600_000 }],
    ["forgets it in the end", { mismatches: 1, mismatchedAt: NOW }, 600_000, { do: "forget" }],
    ["fills after a mismatch", { stored: 1, mismatches: 1, mismatchedAt: NOW }, 0, { do: "fill" }],
    ["lets those who read along finish", { stored: 3, committedAt: NOW }, 59_999, { do: "wait", until: NOW + 60_000 }],
    ["forgets what is committed", { stored: 3, committedAt: NOW }, 60_000, { do: "forget" }],
  ])("%s", (_, of, after, duty) => {
    expect(rules.duty(state(of), NOW + after, STALE_MS)).toEqual(duty);
  });

  it("pauses longer after each set-back, up to five minutes", () => {
    const pauses: number[] = [];
    let now = NOW;
    for (let next = state({ stored: 3 }); pauses.length < 9; now = next.quietUntil) {
      next = rules.setBack(next, now);
      pauses.push((next.quietUntil - now) / 1_000);
    }
    expect(pauses).toEqual([5, 10, 20, 40, 80, 160, 300, 300, 300]);
  });

  it("without anybody's rights waits for the next download, which brings some", () => {
    const waiting = rules.exhausted(state({ stored: 1 }));
    expect(rules.duty(waiting, NOW, STALE_MS).do).toBe("wait");
    const pulled = rules.answer(waiting, slice(1), "new", NOW, STALL_MS).state;
    const left = rules.released(rules.sliceStored(pulled, "new", 1, false, NOW), "new", false, NOW);
    expect(rules.duty(left, NOW, STALE_MS)).toEqual({ do: "fill" });
  });

  it("once all is committed has the verdict and no lease", () => {
    const after = rules.committed(state({ stored: 3, lease: lease() }), NOW);
    expect(after).toMatchObject({ verdict: "agreed", committedAt: NOW, lease: null });
  });
});

describe("a lease runs", () => {
  it.each([
    [null, 0, false],
    [lease(), 0, true],
    [lease(), 4_999, true],
    [lease(), 5_000, false],
  ])("%j after %i ms: %s", (held, after, runs) => {
    expect(rules.isPulled(state({ lease: held }), NOW + after)).toBe(runs);
  });
});

describe("a puller", () => {
  it.each([
    [1_500, 1, true],
    [1_499, 1, false],
    [60_000, 0, false],
  ])("whose client blocks for %i ms while %i wait goes on without it: %s", (blocked, waiters, detaches) => {
    expect(rules.shouldDetach(blocked, waiters)).toBe(detaches);
  });

  it.each([
    [250, 0, 0, false],
    [251, 0, 0, true],
    [251, 1_000, 0, false],
    [290, 1_000, 0, false],
    [291, 1_000, 0, true],
    [10_000, 10_000, 1, false],
  ])("whom the store held up for %i of %i ms while %i wait lets go: %s", (blocked, elapsed, waiters, letsGo) => {
    expect(rules.shouldLetGo(blocked, elapsed, waiters)).toBe(letsGo);
  });
});
