/** What a reader of a fill is told: pure, from the state and what it asks. docs/fills.md has what follows from each answer. */

import type { Answer, Ask, Cut, FillProblem } from "../protocol.ts";
import { compare, isSame } from "./compare.ts";
import { type Filling, type FillState, storedBytes } from "./state.ts";
import { RANGE_AHEAD_BYTES } from "./times.ts";

/** What a reader is told, where the state alone can say. When it asks again is {@link nextTurn}'s. */
export type Say =
  | Exclude<Answer, { readonly do: "read" | "wait" }>
  | ({ readonly do: "read"; readonly stored: number } & Cut)
  | ({ readonly do: "wait" } & Cut)
  /** Begin, or go on with, an attempt for it first. */
  | { readonly do: "begin" }
  /** A fill is under way for another content of this image: end it first. */
  | { readonly do: "replace" };

/** Answers a reader. Nothing but time or an event can change a `wait`. */
export function answer(state: FillState, ask: Ask, now: number): Say {
  const { phase } = state;
  // Ranges complete what a client holds already, which may be of the wrong data.
  if (ask.want !== "whole" && now < state.leftAloneUntil) {
    return { do: "failed", why: "digest-mismatch", relay: null };
  }
  switch (phase.is) {
    case "idle":
      // What it has been sent may be there still: read once more, it proves itself.
      if (ask.sent) return { do: "alone", why: "fill-stopped" };
      return isFarAhead(ask, 0) ? { do: "origin" } : { do: "begin" };
    case "failed": {
      const mine = ask.attempt === phase.attempt;
      if (ask.sent && !(mine && phase.resume !== null)) return { do: "cut", why: phase.why };
      if (phase.why === "digest-mismatch") return mine ? failed(phase.why) : { do: "begin" };
      if (now < phase.until) return phase.why === "fill-failed" ? failed(phase.why) : { do: "alone", why: phase.why };
      return isFarAhead(ask, phase.resume === null ? 0 : storedBytes(phase.resume))
        ? { do: "origin" }
        : { do: "begin" };
    }
    case "kept":
      if (!isSame(phase.subject, ask.subject)) return ask.sent ? { do: "cut", why: "fill-stopped" } : { do: "replace" };
      if (ask.sent && ask.attempt !== phase.attempt) return { do: "cut", why: "fill-stopped" };
      if (ask.attempt === phase.attempt && phase.slices) return read(phase);
      return { do: "kept", attempt: phase.attempt };
    case "filling":
    case "complete": {
      const relation = compare(phase.subject, ask.subject);
      if (relation === "other") return ask.sent ? { do: "cut", why: "fill-stopped" } : { do: "replace" };
      if (ask.sent && ask.attempt !== phase.attempt) return { do: "cut", why: "fill-stopped" };
      if (relation === "weaker") return { do: "alone", why: "fill-weaker" };
      const stored = storedBytes(phase);
      if (ask.at < stored || phase.is === "complete") return read(phase);
      return isFarAhead(ask, stored) ? { do: "origin" } : { do: "wait", ...cutOf(phase) };
    }
  }
}

function failed(why: FillProblem): Say {
  return { do: "failed", why, relay: null };
}

function read(filling: Filling): Say {
  return { do: "read", ...cutOf(filling), stored: filling.stored };
}

function cutOf({ attempt, size, sliceBytes }: Filling): Cut {
  return { attempt, size, sliceBytes };
}

/** @param stored bytes */
function isFarAhead(ask: Ask, stored: number): boolean {
  return ask.want === "range" && ask.at > stored + RANGE_AHEAD_BYTES;
}
