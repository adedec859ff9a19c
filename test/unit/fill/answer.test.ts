/** What a reader of a fill is told in each phase. */
import { describe, expect, it } from "vitest";
import { answer, type Say } from "../../../src/fill/object/answer.ts";
import { compare } from "../../../src/fill/object/compare.ts";
import type { FillState } from "../../../src/fill/object/state.ts";
import { RANGE_AHEAD_BYTES } from "../../../src/fill/object/times.ts";
import type { Ask } from "../../../src/fill/protocol.ts";
import {
  asks,
  attempt,
  fillIn,
  NOW,
  OTHER_SUBJECT,
  PHASE_NAMES,
  PHASES,
  type PhaseName,
  SLICES,
  SUBJECT,
  SUBJECT_V1,
} from "../../support/fill-states.ts";

const says = (state: FillState, ask: Ask, now = NOW) => answer(state, ask, now);
const read = (stored: number): Say => ({ do: "read", attempt: "mine", size: SLICES, sliceBytes: 8, stored });
const failed = (why: "digest-mismatch" | "fill-failed"): Say => ({ do: "failed", why, relay: null });
const HAS_BYTES = { sent: true, attempt: "mine", at: 1 } as const;

describe("a reader that has nothing yet", () => {
  it.each<[PhaseName, Say]>([
    ["idle", { do: "begin" }],
    ["filling", read(1)],
    ["complete", read(SLICES)],
    ["kept", { do: "kept", attempt: "mine" }],
    ["kept without slices", { do: "kept", attempt: "mine" }],
    ["failed", failed("fill-failed")],
    ["failed, to be resumed", failed("fill-failed")],
    ["mismatched", { do: "begin" }],
  ])("of a fill that is %s", (name, say) => {
    expect(says(fillIn(name), asks())).toEqual(say);
  });

  it("waits for the first slice, and knows of which attempt", () => {
    const state = fillIn({ ...attempt(0), is: "filling", notBefore: NOW });
    expect(says(state, asks())).toEqual({ do: "wait", attempt: "mine", size: SLICES, sliceBytes: 8 });
  });

  it("that waited for an attempt whose data was wrong is told so, and begins no other", () => {
    expect(says(fillIn("mismatched"), asks({ attempt: "mine" }))).toEqual(failed("digest-mismatch"));
    expect(says(fillIn("mismatched"), asks({ attempt: "mine" }), NOW + 99_999)).toEqual(failed("digest-mismatch"));
  });

  it("that waited for an attempt before this one follows this one", () => {
    expect(says(fillIn("filling"), asks({ attempt: "older" }))).toEqual(read(1));
    expect(says(fillIn("kept"), asks({ attempt: "older" }))).toEqual({ do: "kept", attempt: "mine" });
  });

  it.each(["no-room", "store-unavailable", "encoded", "fill-stopped"] as const)(
    "goes alone as long as a failure is fresh that is not the origin's: %s",
    (why) => {
      const state = fillIn({ ...PHASES.failed, why });
      expect(says(state, asks(), NOW + 9_999)).toEqual({ do: "alone", why });
      expect(says(state, asks(), NOW + 10_000)).toEqual({ do: "begin" });
    },
  );

  it("is not told of the origin's failure for ever", () => {
    expect(says(fillIn("failed"), asks(), NOW + 9_999)).toEqual(failed("fill-failed"));
    expect(says(fillIn("failed"), asks(), NOW + 10_000)).toEqual({ do: "begin" });
  });
});

describe("a reader whose client has bytes", () => {
  it.each<[PhaseName, Say]>([
    ["idle", { do: "alone", why: "fill-stopped" }],
    ["filling", { do: "wait", attempt: "mine", size: SLICES, sliceBytes: 8 }],
    ["complete", read(SLICES)],
    ["kept", read(SLICES)],
    ["kept without slices", { do: "kept", attempt: "mine" }],
    ["failed", { do: "cut", why: "fill-failed" }],
    ["failed, to be resumed", failed("fill-failed")],
    ["mismatched", { do: "cut", why: "digest-mismatch" }],
  ])("of the attempt of a fill that is %s", (name, say) => {
    expect(says(fillIn(name), asks(HAS_BYTES))).toEqual(say);
  });

  it.each(PHASE_NAMES.filter((name) => name !== "idle"))("of another attempt is cut, never served: %s", (name) => {
    expect(says(fillIn(name), asks({ ...HAS_BYTES, attempt: "older" }))).toMatchObject({ do: "cut" });
    expect(says(fillIn(name), asks({ ...HAS_BYTES, attempt: null }))).toMatchObject({ do: "cut" });
  });

  it.each(["filling", "complete", "kept", "kept without slices"] as const)("of another content is cut: %s", (name) => {
    expect(says(fillIn(name), asks({ ...HAS_BYTES, subject: OTHER_SUBJECT }))).toMatchObject({ do: "cut" });
  });

  it("has the attempt resumed when its failure is old", () => {
    expect(says(fillIn("failed, to be resumed"), asks(HAS_BYTES), NOW + 10_000)).toEqual({ do: "begin" });
  });
});

describe("a reader of another content", () => {
  it.each(["filling", "complete", "kept", "kept without slices"] as const)("has the fill replaced: %s", (name) => {
    expect(says(fillIn(name), asks({ subject: OTHER_SUBJECT }))).toEqual({ do: "replace" });
    expect(says(fillIn(name), asks({ subject: { ...SUBJECT, size: 99 } }))).toEqual({ do: "replace" });
  });
});

describe("a reader that knows the image by its MD5", () => {
  it.each<[PhaseName, Say]>([
    ["filling", read(1)],
    ["complete", read(SLICES)],
    ["kept", { do: "kept", attempt: "mine" }],
  ])("reads along with one that knows more: %s", (name, say) => {
    expect(says(fillIn(name), asks({ subject: SUBJECT_V1 }))).toEqual(say);
  });

  it("is followed by none that knows more: that one goes alone, and has the kept one replaced", () => {
    const filling = { ...attempt(1, { subject: SUBJECT_V1 }), is: "filling" as const, notBefore: NOW };
    expect(says(fillIn(filling), asks())).toEqual({ do: "alone", why: "fill-weaker" });
    const kept = { ...attempt(SLICES, { subject: SUBJECT_V1 }), is: "kept" as const, since: NOW, slices: true };
    expect(says(fillIn(kept), asks())).toEqual({ do: "replace" });
  });

  it.each([
    ["the same", SUBJECT, SUBJECT, "same"],
    ["a fill that knows more", SUBJECT, SUBJECT_V1, "same"],
    ["a fill that knows less", SUBJECT_V1, SUBJECT, "weaker"],
    ["another content", SUBJECT, OTHER_SUBJECT, "other"],
    ["another size", SUBJECT, { ...SUBJECT, size: 99 }, "other"],
    ["another MD5", SUBJECT, { ...SUBJECT_V1, digest: { algorithm: "md5", hex: "d".repeat(32) } }, "other"],
    ["a fill without an MD5", { ...SUBJECT, checksum: null }, SUBJECT_V1, "other"],
    ["a fill of another MD5", SUBJECT_V1, { ...SUBJECT, checksum: "d".repeat(32) }, "other"],
    ["another strong digest", SUBJECT, { ...SUBJECT, digest: { algorithm: "sha256", hex: "a".repeat(64) } }, "other"],
  ] as const)("compared: %s", (_, filling, asked, relation) => {
    expect(compare(filling, asked)).toBe(relation);
  });
});

describe("a range", () => {
  const big = { ...SUBJECT, size: 10 * RANGE_AHEAD_BYTES };
  const filling = (stored: number) =>
    fillIn({
      ...attempt(stored, { subject: big, size: big.size, sliceBytes: 2 ** 23 }),
      is: "filling",
      notBefore: NOW,
    });
  const range = (at: number, change: Partial<Ask> = {}) => asks({ subject: big, want: "range", at, ...change });

  it("that begins within 64 MiB behind what is stored waits for it", () => {
    // Eight slices of 1 MiB.
    const stored = 2 ** 23;
    expect(says(filling(8), range(stored - 1))).toMatchObject({ do: "read" });
    expect(says(filling(8), range(stored))).toMatchObject({ do: "wait" });
    expect(says(filling(8), range(stored + RANGE_AHEAD_BYTES))).toMatchObject({ do: "wait" });
    expect(says(filling(8), range(stored + RANGE_AHEAD_BYTES + 1))).toEqual({ do: "origin" });
  });

  it("of which nothing is stored begins a fill where it is near the start", () => {
    expect(says(fillIn("idle"), range(RANGE_AHEAD_BYTES))).toEqual({ do: "begin" });
    expect(says(fillIn("idle"), range(RANGE_AHEAD_BYTES + 1))).toEqual({ do: "origin" });
    expect(says(fillIn("failed"), range(RANGE_AHEAD_BYTES + 1), NOW + 10_000)).toEqual({ do: "origin" });
  });

  it("counts what a failed attempt has stored in bytes", () => {
    const resume = attempt(8, { subject: big, size: big.size, sliceBytes: 2 ** 23 });
    const state = fillIn({ ...PHASES.failed, resume });
    expect(says(state, range(2 ** 23 + RANGE_AHEAD_BYTES), NOW + 10_000)).toEqual({ do: "begin" });
    expect(says(state, range(2 ** 23 + RANGE_AHEAD_BYTES + 1), NOW + 10_000)).toEqual({ do: "origin" });
  });

  it("that the origin can't give waits however far ahead it is", () => {
    expect(says(filling(8), range(9 * RANGE_AHEAD_BYTES, { want: "insist" }))).toMatchObject({ do: "wait" });
    expect(says(fillIn("idle"), range(9 * RANGE_AHEAD_BYTES, { want: "insist" }))).toEqual({ do: "begin" });
  });

  it.each(PHASE_NAMES.flatMap((name) => (["range", "insist"] as const).map((want) => [want, name] as const)))(
    "(%s) of an image that is left alone is refused, and a whole download is not: %s",
    (want, name) => {
      const state = fillIn(name, { leftAloneUntil: NOW + 1 });
      expect(says(state, asks({ want }))).toEqual(failed("digest-mismatch"));
      expect(says(state, asks({ want, ...HAS_BYTES }))).toEqual(failed("digest-mismatch"));
      expect(says(state, asks({ want }), NOW + 1)).toEqual(says(fillIn(name), asks({ want }), NOW + 1));
      expect(says(state, asks())).toEqual(says(fillIn(name), asks()));
    },
  );
});
