import { describe, expect, it } from "vitest";
import type { Subject } from "../../src/fill/protocol.ts";
import * as rules from "../../src/fill/rules.ts";
import { answer, CUT, FRESH, lease, NOW, STALL_MS, slice, state, verdict } from "../support/fill-states.ts";

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
      storedAt: NOW,
      received: 0,
      mismatches: 0,
      mismatchedAt: 0,
      setbacks: 0,
      quietUntil: 0,
      wanted: false,
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

  it.each<[string, Subject, Subject, "share" | "same-image" | "other"]>([
    ["of the same content", subject(), subject(), "share"],
    ["of the same content, whatever the checksum", subject(), subject({ checksum: null }), "share"],
    ["when it knows the same MD5 only", subject(), subject(byMd5("m")), "share"],
    ["but not of another size", subject(), subject({ size: 8 }), "other"],
    ["but not of another size with the same MD5", subject(), subject({ ...byMd5("m"), size: 8 }), "other"],
    ["but not of another digest", subject(), subject({ blob: "sha512-b" }), "other"],
    ["but not of another MD5", subject(), subject(byMd5("n")), "other"],
    ["but not with an MD5 that the fill does not know", subject({ checksum: null }), subject(byMd5("m")), "other"],
    ["but not that knows the MD5 only, with a digest: it is left to end", subject(byMd5("m")), subject(), "same-image"],
  ])("%s", (_, filling, asked, relation) => {
    expect(rules.compareSubjects(filling, asked)).toBe(relation);
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

  it("never gets the lease, nor does anybody once all is stored", () => {
    expect(answer({ stored: 3 }, slice(3))).toEqual({ do: "wait" });
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
