/** What a download counts as: pure, from what its client was told. */

import type { toldOutcome } from "../http/cache-status.ts";
import type { LabelOf } from "../store/figures.ts";

type Outcome = LabelOf<"downloads">;

export function outcomeOf(status: number, told: ReturnType<typeof toldOutcome>): Outcome {
  if (status >= 500) return "failed";
  if (status >= 400) return "refused";
  if (status === 304) return "not-modified";
  switch (told?.kind) {
    case "hit":
      return "hit";
    case "collapsed":
      return "collapsed";
    case "miss":
      return told.detail === null ? "miss" : "alone";
    case "bypass":
    case undefined:
      return "forwarded";
  }
}

/** Where the bytes of such a download came from: a fill's readers read what is stored. */
export function sourceOf(outcome: Outcome): LabelOf<"bytes"> | null {
  switch (outcome) {
    case "hit":
    case "miss":
    case "collapsed":
      return "cache";
    case "alone":
    case "forwarded":
      return "origin";
    default:
      return null;
  }
}
