import { describe, expect, it } from "vitest";
import type { Ask, Subject } from "../../src/fill/protocol.ts";
import * as rules from "../../src/fill/rules.ts";

const NOW = 10 ** 9;
const STALL_MS = 20_000;
const CUT = { blob: "sha256-a", generation: "g", sliceBytes: 64 };
const FRESH = rules.newGeneration(null, { ...CUT, slices: 3 }, NOW);
const state = (change: Partial<rules.FillState>): rules.FillState => ({ ...FRESH, ...change });
const lease = (change: Partial<rules.Lease> = {}): rules.Lease => ({
  id: "l",
  reader: "r",
  expires: NOW + rules.LEASE_MS,
  ...change,
});
const slice = (number: number, generation: string | null = null): Ask => ({
  reader: "reader",
  generation,
  need: { what: "slice", slice: number },
});
const verdict = (generation: string | null = "g"): Ask => ({ reader: "reader", generation, need: { what: "verdict" } });
const answer = (of: Partial<rules.FillState>, ask: Ask, now = NOW) =>
  rules.answer(state(of), ask, "new", now, STALL_MS).answer;

describe("a new generation", () => {
  it("begins with nothing", () => {
    expect(FRESH).toEqual({
      ...CUT,
      slices: 3,
      stored: 0,
      lease: null,
      witness: null,
      verdict: "open",
      committedAt: null,
      progressAt: NOW,
      received: 0,
      mismatches: 0,
      mismatchedAt: 0,
      setbacks: 0,
      quietUntil: 0,
    });
  });

  it("remembers the mismatches before it and nothing else", () => {
    const before = state({ stored: 2, lease: lease(), witness: "l", mismatches: 2, mismatchedAt: 5, setbacks: 3 });
    const after = rules.newGeneration({ ...before, quietUntil: NOW + 9, received: 7 }, { ...CUT, slices: 3 }, NOW);
    expect(after).toEqual(state({ mismatches: 2, mismatchedAt: 5 }));
  });
});

describe("a download shares a fill", () => {
  const subject = (change: Partial<Subject> = {}): Subject => ({
    imageId: "i",
    blob: "sha512-a",
    digest: { algorithm: "sha512", hex: "a" },
    checksum: "m",
    size: 9,
    ...change,
  });
  const byMd5 = (hex: string): Partial<Subject> => ({ blob: `md5-${hex}-i`, digest: { algorithm: "md5", hex } });

  it.each<[string, Subject, Subject, boolean]>([
    ["of the same content", subject(), subject(), true],
    ["of the same content, whatever the checksum", subject(), subject({ checksum: null }), true],
    ["when it knows the same MD5 only", subject(), subject(byMd5("m")), true],
    ["but not of another size", subject(), subject({ size: 8 }), false],
    ["but not of another size with the same MD5", subject(), subject({ ...byMd5("m"), size: 8 }), false],
    ["but not of another digest", subject(), subject({ blob: "sha512-b" }), false],
    ["but not of another MD5", subject(), subject(byMd5("n")), false],
    ["but not with an MD5 that the fill does not know", subject({ checksum: null }), subject(byMd5("m")), false],
    ["but not that knows the MD5 only, with a digest", subject(byMd5("m")), subject(), false],
  ])("%s", (_, filling, asked, shares) => {
    expect(rules.sharesSubject(filling, asked)).toBe(shares);
  });
});

describe("a reader that asks for a slice", () => {
  it.each([0, 1])("which is stored (%i of 2) reads", (number) => {
    expect(answer({ stored: 2 }, slice(number))).toEqual({ do: "read", ...CUT, stored: 2 });
    expect(answer({ stored: 2, lease: lease() }, slice(number, "g"))).toEqual({ do: "read", ...CUT, stored: 2 });
  });

  it.each([0, 1, 2])("while nobody pulls gets the lease for slice %i, the first that is not stored", (stored) => {
    const step = rules.answer(state({ stored }), slice(stored), "new", NOW, STALL_MS);
    expect(step.answer).toEqual({ do: "pull", ...CUT, slice: stored, lease: "new" });
    expect(step.state.lease).toEqual({ id: "new", reader: "reader", expires: NOW + 5_000 });
    expect(step.state.witness).toBe(stored === 0 ? "new" : null);
    expect(step.state).toMatchObject({ stored, progressAt: NOW, received: 0 });
  });

  it("far ahead of what is stored pulls from the first that is not", () => {
    expect(answer({ stored: 0 }, slice(2, "g"))).toMatchObject({ do: "pull", slice: 0 });
  });

  it("while somebody pulls waits until the lease lapses", () => {
    expect(answer({ lease: lease() }, slice(0), NOW + 4_999)).toEqual({ do: "wait" });
    expect(answer({ lease: lease() }, slice(0), NOW + 5_000)).toMatchObject({ do: "pull" });
  });

  it("while somebody pulls without progress goes alone", () => {
    const held = { lease: lease({ expires: NOW + 10 ** 6 }) };
    expect(answer(held, slice(0), NOW + STALL_MS - 1)).toEqual({ do: "wait" });
    expect(answer(held, slice(0), NOW + STALL_MS)).toEqual({ do: "alone", why: "fill-stalled" });
  });

  it("reads what is stored and takes a free lease in a stall as well", () => {
    const old = { progressAt: NOW - STALL_MS };
    expect(answer({ ...old, stored: 1, lease: lease() }, slice(0))).toMatchObject({ do: "read" });
    expect(answer({ ...old, stored: 1 }, slice(1))).toMatchObject({ do: "pull" });
  });

  it("with bytes of another generation is cut, whatever it asks", () => {
    for (const of of [{}, { stored: 3 }, { verdict: "agreed" as const }, { mismatches: 2, mismatchedAt: NOW }]) {
      for (const ask of [slice(0, "old"), slice(2, "old"), verdict("old")]) {
        expect(answer(of, ask)).toEqual({ do: "cut", why: "digest-mismatch" });
      }
    }
  });

  it("changes nothing unless it gets the lease", () => {
    for (const of of [{ stored: 1 }, { lease: lease() }, { mismatches: 2, mismatchedAt: NOW }]) {
      const before = state(of);
      expect(rules.answer(before, slice(0), "new", NOW, STALL_MS).state).toBe(before);
    }
  });
});

describe("a reader that asks for the verdict", () => {
  it("finishes when the content agreed", () => {
    expect(answer({ stored: 3, verdict: "agreed" }, verdict())).toEqual({ do: "finish" });
    expect(answer({ stored: 3, verdict: "agreed" }, verdict(), NOW + 10 ** 6)).toEqual({ do: "finish" });
  });

  it("waits for it, and in a stall goes alone", () => {
    expect(answer({ stored: 3 }, verdict(), NOW + STALL_MS - 1)).toEqual({ do: "wait" });
    expect(answer({ stored: 3 }, verdict(), NOW + STALL_MS)).toEqual({ do: "alone", why: "fill-stalled" });
  });

  it("never gets the lease", () => {
    expect(answer({ stored: 3, lease: lease({ expires: NOW }) }, verdict())).toEqual({ do: "wait" });
  });
});

describe("an image that was wrong", () => {
  it("is left alone after the second time, for ten minutes", () => {
    const once = { mismatches: 1, mismatchedAt: NOW };
    const twice = { mismatches: 2, mismatchedAt: NOW };
    expect(answer(once, slice(0))).toMatchObject({ do: "pull" });
    expect(answer(twice, slice(0))).toEqual({ do: "alone", why: "left-alone" });
    expect(answer(twice, slice(0), NOW + 600_000 - 1)).toEqual({ do: "alone", why: "left-alone" });
    expect(answer(twice, slice(0), NOW + 600_000)).toMatchObject({ do: "pull" });
  });

  it.each([
    ["never before", 0, 0, 1],
    ["once just now", 1, NOW - 1, 2],
    ["once almost ten minutes ago", 1, NOW - 599_999, 2],
    ["once ten minutes ago", 1, NOW - 600_000, 1],
    ["twice just now", 2, NOW, 3],
    ["twice long ago", 2, NOW - 600_000, 1],
  ])("and was so %s counts right", (_, mismatches, mismatchedAt, counted) => {
    const after = rules.mismatched(state({ mismatches, mismatchedAt }), NOW);
    expect(after).toMatchObject({ mismatches: counted, mismatchedAt: NOW });
  });

  it("counts as right again once it is committed", () => {
    expect(rules.committed(state({ mismatches: 1, mismatchedAt: NOW }), NOW).mismatches).toBe(0);
  });
});

describe("a slice that was stored", () => {
  const pulled = state({ stored: 1, lease: lease(), witness: "l", setbacks: 2 });

  it("counts, is progress and keeps the lease", () => {
    expect(rules.sliceStored(pulled, "l", 1, false, NOW + 2_000)).toEqual({
      ...pulled,
      stored: 2,
      progressAt: NOW + 2_000,
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
    ["gives up after a day without progress", { stored: 1, setbacks: 4 }, 86_400_000, { do: "forget" }],
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
    expect(rules.duty(state(of), NOW + after)).toEqual(duty);
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
    const waiting = rules.withoutRights(state({ stored: 1 }));
    expect(rules.duty(waiting, NOW).do).toBe("wait");
    const pulled = rules.answer(waiting, slice(1), "new", NOW, STALL_MS).state;
    const left = rules.released(rules.sliceStored(pulled, "new", 1, false, NOW), "new", false, NOW);
    expect(rules.duty(left, NOW)).toEqual({ do: "fill" });
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
  ])("whose client blocks for %i ms while %i wait hands on: %s", (blocked, waiters, handsOn) => {
    expect(rules.shouldDetach(blocked, waiters)).toBe(handsOn);
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
