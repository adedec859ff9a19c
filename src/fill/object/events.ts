/** What can happen to a fill, and what it asks to be done then: what ./rules.ts takes and what it gives. */

import type { FillProblem, Subject } from "../protocol.ts";
import type { Filling, FillState } from "./state.ts";

/** `"denied-to-policy"`: there would be some for a client, who is not to be told of this failure. */
export type RoomAnswer = "had" | "denied" | "denied-to-policy";

export type Event =
  | {
      readonly on: "begin";
      readonly subject: Subject;
      readonly attempt: string;
      readonly sliceBytes: number;
      readonly partBytes: number | null;
    }
  | { readonly on: "queued"; readonly queued: boolean }
  | { readonly on: "room"; readonly attempt: string; readonly answer: RoomAnswer }
  | {
      readonly on: "stored";
      readonly attempt: string;
      readonly stored: number;
      readonly fetched: number;
      readonly sums: readonly string[];
    }
  /** The origin broke off, stalled or failed; or a put hangs, and only a new object can go on; or there is no memory. */
  | { readonly on: "broken"; readonly attempt: string; readonly fetched: number; readonly by: "origin" | "store" }
  /** The attempt can't go on: the store refused, or its slices are gone. `keep`: what is stored is good. */
  | { readonly on: "failed"; readonly attempt: string; readonly why: FillProblem; readonly keep: boolean }
  | { readonly on: "mismatched"; readonly attempt: string }
  | { readonly on: "putting"; readonly attempt: string }
  /** The put waits: there is no word yet about its room. */
  | { readonly on: "postponed"; readonly attempt: string; readonly until: number }
  | { readonly on: "put"; readonly attempt: string; readonly answer: "kept" | "wrong-digest" | "unknown" }
  /** R2 holds the image, which this Fill did not know. */
  | { readonly on: "found"; readonly kept: Kept }
  /** What was kept of this attempt is not there any more, or not all of it. */
  | { readonly on: "lost"; readonly attempt: string }
  /** All that was in memory is gone: pull, put, readers, rights. */
  | { readonly on: "restarted" }
  /** The slices of a kept image have had their time. */
  | { readonly on: "swept"; readonly attempt: string }
  /** What stopped attempts have put is removed once more now; where that fails, again later. */
  | { readonly on: "burying"; readonly attempts: readonly string[] }
  | { readonly on: "buried"; readonly attempts: readonly string[] }
  /**
   * The image is to go. `read`: clients read its slices, which stay for them until the tombstone is due; `found`: the attempt
   * that R2 holds it of.
   */
  | { readonly on: "stop"; readonly read: boolean; readonly found?: string };

/** A kept image that this Fill knows only from R2. */
export interface Kept {
  readonly attempt: string;
  readonly subject: Subject;
}

export type Effect =
  | { readonly do: "pull" }
  | { readonly do: "abort-pull" }
  /** All that is stored of it is removed, and then its room is given back. */
  | { readonly do: "drop"; readonly attempt: string }
  | { readonly do: "remove-object" }
  /** The image is kept now: the index is to be told, and the queue. */
  | { readonly do: "index"; readonly filling: Filling }
  | { readonly do: "queue-failed"; readonly why: FillProblem };

export interface Step {
  readonly state: FillState;
  readonly effects: readonly Effect[];
}
