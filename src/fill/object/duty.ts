/** What a fill owes to the clock: pure, and looked at whenever its alarm rings. docs/fills.md has the times. */

import type { FillState } from "./state.ts";
import { COMMIT_AFTER_MS, COMMIT_LATEST_MS, SLICES_LINGER_MS } from "./times.ts";

/** What is to be done by the clock, if nothing happens before. */
export type Duty =
  | { readonly do: "wait"; readonly until: number }
  | { readonly do: "pull" }
  | { readonly do: "put" }
  | { readonly do: "sweep-slices"; readonly attempt: string }
  | { readonly do: "bury"; readonly attempts: readonly string[] }
  /** Nothing of the attempt moved for so long that it goes. */
  | { readonly do: "stop" }
  /** Nothing is left that is worth remembering. */
  | { readonly do: "forget" };

/**
 * What the alarm has to do now.
 * @param staleMs an attempt without a new slice for so long is dropped (Glance's image_cache_stall_time)
 * @param readers how many follow it now
 */
export function duty(state: FillState, staleMs: number, now: number, readers = 0): Duty {
  const due = state.tombstones.filter(({ at }) => at <= now).map(({ attempt }) => attempt);
  if (due.length > 0) return { do: "bury", attempts: due };
  const { phase } = state;
  switch (phase.is) {
    case "filling":
      if (now >= phase.storedAt + staleMs) return { do: "stop" };
      return now >= phase.notBefore ? { do: "pull" } : { do: "wait", until: phase.notBefore };
    case "complete":
      if (now >= phase.storedAt + staleMs) return { do: "stop" };
      if (now < phase.putAt) return { do: "wait", until: phase.putAt };
      if (readers === 0 || now >= phase.storedAt + COMMIT_LATEST_MS) return { do: "put" };
      return { do: "wait", until: Math.min(now + COMMIT_AFTER_MS, phase.storedAt + COMMIT_LATEST_MS) };
    case "kept": {
      if (!phase.slices) return rest(state, now);
      const until = phase.since + SLICES_LINGER_MS;
      return now >= until ? { do: "sweep-slices", attempt: phase.attempt } : { do: "wait", until };
    }
    case "failed": {
      if (phase.resume === null) return now < phase.until ? { do: "wait", until: phase.until } : rest(state, now);
      const until = phase.resume.storedAt + staleMs;
      return now >= until ? { do: "stop" } : { do: "wait", until };
    }
    case "idle":
      return rest(state, now);
  }
}

function rest(state: FillState, now: number): Duty {
  const times = state.tombstones.map(({ at }) => at);
  if (state.leftAloneUntil > now) times.push(state.leftAloneUntil);
  return times.length === 0 ? { do: "forget" } : { do: "wait", until: Math.min(...times) };
}
