/**
 * The state of a fill, as it is on disk: changed by events only (rules.ts), and read by all others. What can be read off it
 * in one look is here too.
 */
import { sliceStart } from "../../store/slice-plan.ts";
import type { Cut, FillProblem, Progress, Subject } from "../protocol.ts";
import { RANGES_AFTER_MISMATCH_MS } from "./times.ts";

/** One attempt to fetch the image, from its plan on. */
export interface Filling extends Cut {
  readonly subject: Subject;
  /** Slices 0 to stored - 1 are in R2. */
  readonly stored: number;
  /** The last time that a slice was stored, ms since the epoch. */
  readonly storedAt: number;
  /** Reopenings of the origin since then. */
  readonly reopenings: number;
  /** Bytes that this attempt took from the origin. */
  readonly fetched: number;
  /** Bytes of each part of an image that one object can't hold; else null. */
  readonly partBytes: number | null;
  /** SHA-256 of the parts whose slices are all stored. */
  readonly sums: readonly string[];
  /** Whether CACHE_MAX_BYTES has room for it: without, its slices serve those who read along and nothing is kept. */
  readonly room: "unknown" | "had";
}

export type Phase =
  | { readonly is: "idle" }
  | ({ readonly is: "filling"; readonly notBefore: number } & Filling)
  /** All slices are stored and the digest agreed; the object is not kept yet. */
  | ({ readonly is: "complete"; readonly putAt: number; readonly puts: number } & Filling)
  /** The object is kept. `since`: ms since the epoch; `slices`: whether they are still there. */
  | ({ readonly is: "kept"; readonly since: number; readonly slices: boolean } & Filling)
  /** Told to those who ask until then. `resume`: what is stored of an attempt that can go on. */
  | {
      readonly is: "failed";
      readonly why: FillProblem;
      readonly until: number;
      readonly attempt: string;
      readonly resume: Filling | null;
    };

/** What a stopped attempt may still put is removed once more at this time, ms since the epoch. */
export interface Tombstone {
  readonly attempt: string;
  readonly at: number;
}

export interface FillState {
  readonly imageId: string;
  readonly phase: Phase;
  /**
   * Until then its ranges are refused, and nothing refills it in the background, ms since the epoch; 0 when its data was
   * not wrong.
   */
  readonly leftAloneUntil: number;
  readonly tombstones: readonly Tombstone[];
  /** It was queued: fetched without a download, under the service account or whoever queued it. */
  readonly queued: boolean;
}

/** What is known of an image at first: nothing. */
export function newFill(imageId: string): FillState {
  return { imageId, phase: { is: "idle" }, leftAloneUntil: 0, tombstones: [], queued: false };
}

/** The image's byte up to which slices are stored. */
export function storedBytes(filling: Filling): number {
  return Math.min(filling.size, sliceStart(filling, filling.stored));
}

/** @returns null when no attempt has anything to show */
export function progressOf({ phase, queued }: FillState, readers: number): Progress | null {
  if (phase.is === "idle" || phase.is === "failed") return null;
  const { attempt, size, subject } = phase;
  const name = subject.name ?? null;
  return { attempt, name, state: phase.is, bytesStored: storedBytes(phase), size, readers, queued };
}

/** Until when ranges of an image that is kept now are refused, ms since the epoch; 0 where its data never was wrong. */
export function rangesFrom(state: FillState, now: number): number {
  return now < state.leftAloneUntil ? now + RANGES_AFTER_MISMATCH_MS : 0;
}

/** Whether what R2 holds of this attempt is to go: a put that was under way when it was stopped. */
export function isStopped(state: FillState, attempt: string): boolean {
  return state.tombstones.some((stone) => stone.attempt === attempt);
}

/** Whether an attempt is under way: its data is fetched, or its object put. */
export function isRunning(phase: Phase): phase is Extract<Phase, { is: "filling" | "complete" }> {
  return phase.is === "filling" || phase.is === "complete";
}

/** The attempt that has, or may have, something in R2; null when there is none. */
export function attemptOf(phase: Phase): string | null {
  if (phase.is === "idle") return null;
  return phase.is === "failed" ? (phase.resume?.attempt ?? null) : phase.attempt;
}

/** Whether this attempt is what the fill is about, still: none that was stopped, or has failed. */
export function isCurrent({ phase }: FillState, attempt: string): boolean {
  return (isRunning(phase) || phase.is === "kept") && phase.attempt === attempt;
}
