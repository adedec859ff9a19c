/** States of one small fill for tests of its rules: an image of three slices, one byte each. */

import type { Filling, FillState, Phase } from "../../src/fill/object/state.ts";
import type { Ask, Subject } from "../../src/fill/protocol.ts";

export const NOW = 10 ** 9;
export const IMAGE_ID = "0d2a3c9e-7a52-4b40-9f7e-5d1e6f5f2f10";
export const SLICES = 3;
const MD5 = "c".repeat(32);
export const SUBJECT: Subject = {
  imageId: IMAGE_ID,
  size: SLICES,
  digest: { algorithm: "sha512", hex: "a".repeat(128) },
  checksum: MD5,
};
/** The same image as v1 knows it. */
export const SUBJECT_V1: Subject = { ...SUBJECT, digest: { algorithm: "md5", hex: MD5 } };
export const OTHER_SUBJECT: Subject = { ...SUBJECT, digest: { algorithm: "sha512", hex: "b".repeat(128) } };

/** The attempt "mine" with some slices stored. */
export function attempt(stored: number, change: Partial<Filling> = {}): Filling {
  return {
    attempt: "mine",
    subject: SUBJECT,
    size: SUBJECT.size,
    sliceBytes: 8,
    stored,
    storedAt: NOW,
    reopenings: 0,
    fetched: stored,
    partBytes: null,
    sums: [],
    room: "had",
    ...change,
  };
}

export const PHASES = {
  idle: { is: "idle" },
  filling: { ...attempt(1), is: "filling", notBefore: NOW },
  complete: { ...attempt(SLICES), is: "complete", putAt: NOW, puts: 0 },
  kept: { ...attempt(SLICES), is: "kept", since: NOW, slices: true },
  "kept without slices": { ...attempt(SLICES), is: "kept", since: NOW, slices: false },
  failed: { is: "failed", why: "fill-failed", until: NOW + 10_000, attempt: "mine", resume: null },
  "failed, to be resumed": {
    is: "failed",
    why: "fill-failed",
    until: NOW + 10_000,
    attempt: "mine",
    resume: attempt(1),
  },
  mismatched: { is: "failed", why: "digest-mismatch", until: NOW + 10_000, attempt: "mine", resume: null },
} as const satisfies Record<string, Phase>;

export type PhaseName = keyof typeof PHASES;
export const PHASE_NAMES = Object.keys(PHASES) as PhaseName[];

export function fillIn(phase: PhaseName | Phase, change: Partial<FillState> = {}): FillState {
  return {
    imageId: IMAGE_ID,
    phase: typeof phase === "string" ? PHASES[phase] : phase,
    leftAloneUntil: 0,
    tombstones: [],
    queued: false,
    ...change,
  };
}

/** A reader of the whole image that has nothing yet. */
export function asks(change: Partial<Ask> = {}): Ask {
  return { reader: "reader", subject: SUBJECT, attempt: null, sent: false, at: 0, want: "whole", ...change };
}
