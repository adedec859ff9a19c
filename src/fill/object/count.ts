/** What a Fill counts of itself: how its attempts end, and what it had from the origin. */

import { originErrorOf } from "../../glance/origin-error.ts";
import type { LabelOf } from "../../store/figures.ts";
import type { Meter } from "../../store/meter.ts";
import type { FillProblem } from "../protocol.ts";
import type { PullEnd } from "./pull-end.ts";
import { isRunning, type Phase } from "./state.ts";

type Result = LabelOf<"fills">;

/** How a step has ended an attempt; null when it has not. */
export function endOfAttempt(before: Phase, after: Phase): Result | null {
  if (!isRunning(before)) return null;
  if (after.is === "idle" || after.attempt !== before.attempt) return "stopped";
  if (after.is === "kept") return "kept";
  return after.is === "failed" ? resultOf(after.why) : null;
}

function resultOf(why: FillProblem): Result {
  switch (why) {
    case "digest-mismatch":
      return "mismatch";
    case "no-room":
      return "no-room";
    case "fill-stopped":
      return "stopped";
    default:
      return "failed";
  }
}

export function countEnd(before: Phase, after: Phase, meter: Meter): void {
  const result = endOfAttempt(before, after);
  if (result === null) return;
  meter.add("fills", result);
  if (result === "mismatch") meter.add("mismatches", "fill");
}

/** A pull has ended. @param firstByteMs null: there was none */
export function countPull(ending: PullEnd, firstByteMs: number | null, meter: Meter): void {
  if (firstByteMs !== null) meter.observe("origin_first_byte_ms", firstByteMs);
  if (ending.end !== "broken") return;
  meter.add("origin_errors", ending.relay === null ? (originErrorOf(ending.cause) ?? "broken-off") : "server-error");
}
