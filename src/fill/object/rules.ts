/**
 * The rules of a fill: pure functions from a state and an event to the next state and what is to be done. No clock, no
 * storage, no network: `now` is always given. docs/fills.md has the states, the events and the races.
 */
import { sliceCount } from "../../store/slice-plan.ts";
import type { FillProblem } from "../protocol.ts";
import { isSame } from "./compare.ts";
import type { Effect, Event, Kept, RoomAnswer, Step } from "./events.ts";
import { attemptOf, type Filling, type FillState, isRunning, isStopped, type Phase, rangesFrom } from "./state.ts";
import { COMMIT_AFTER_MS, FAILED_MS, PUT_AGAIN_MS, REOPEN_MS, TOMBSTONE_MS } from "./times.ts";
import { bury, dropped, later, leave, without } from "./tombstones.ts";

/** An attempt may take so many times the image from the origin: one that must begin at byte 0 each time would go on for ever. */
export const ORIGIN_BYTES_FACTOR = 3;
/** How long an image whose data was wrong is left alone: nothing refills it in the background, and its ranges are refused. */
export const LEFT_ALONE_MS = 24 * 3_600_000;

/** Takes an event in. One about an attempt that is gone changes nothing. */
export function step(state: FillState, event: Event, now: number): Step {
  const { phase } = state;
  const same = (effects: readonly Effect[] = []): Step => ({ state, effects });
  switch (event.on) {
    case "begin":
      return begin(state, event, now);
    case "queued":
      return { state: { ...state, queued: event.queued }, effects: [] };
    case "room":
      if (phase.is !== "filling" && phase.is !== "complete") return same();
      if (phase.attempt !== event.attempt) return same();
      if (event.answer === "had") return { state: { ...state, phase: { ...phase, room: "had" } }, effects: [] };
      return noRoom(fail(state, phase, "no-room", false, now), event.answer);
    case "stored": {
      if (phase.is !== "filling" || phase.attempt !== event.attempt || event.stored <= phase.stored) return same();
      const { stored, fetched, sums } = event;
      const next = { ...phase, stored, storedAt: now, reopenings: 0, fetched, sums };
      if (stored < sliceCount(phase)) {
        // Also where each connection gets a little further: one that reads from 0 each time costs the image each time.
        return isDear(next)
          ? fail(state, next, "fill-failed", false, now)
          : { state: { ...state, phase: next }, effects: [] };
      }
      const complete = { ...strip(next), is: "complete" as const, putAt: now + COMMIT_AFTER_MS, puts: 0 };
      return { state: { ...state, phase: complete }, effects: [] };
    }
    case "broken":
      if (phase.is !== "filling" || phase.attempt !== event.attempt) return same();
      return reopen(state, { ...phase, fetched: event.fetched }, event.by, now);
    case "failed":
      if (phase.is !== "filling" && phase.is !== "complete") return same();
      if (phase.attempt !== event.attempt) return same();
      return fail(state, phase, event.why, event.keep, now);
    case "mismatched":
      if (phase.is !== "filling" || phase.attempt !== event.attempt) return same();
      return fail({ ...state, leftAloneUntil: now + LEFT_ALONE_MS }, phase, "digest-mismatch", false, now);
    case "putting":
      if (phase.is !== "complete" || phase.attempt !== event.attempt) return same();
      return {
        state: { ...state, phase: { ...phase, putAt: now + COMMIT_AFTER_MS, puts: phase.puts + 1 } },
        effects: [],
      };
    case "postponed":
      if (phase.is !== "complete" || phase.attempt !== event.attempt) return same();
      return { state: { ...state, phase: { ...phase, putAt: event.until } }, effects: [] };
    case "put":
      return put(state, event, now);
    case "found":
      return found(state, event.kept, now);
    case "lost":
      return lost(state, event.attempt, now);
    case "restarted":
      return restarted(state, now);
    case "swept":
      return phase.is === "kept" && phase.attempt === event.attempt
        ? { state: { ...state, phase: { is: "idle" } }, effects: [] }
        : same();
    case "burying":
      // Before, not behind it: one that can't be removed must not keep another attempt from its pull, its put and its end.
      return { state: { ...state, tombstones: later(state.tombstones, event.attempts, now) }, effects: [] };
    case "buried":
      return { state: { ...state, tombstones: without(state.tombstones, event.attempts) }, effects: [] };
    case "stop":
      return stop(state, event, now);
  }
}

function begin(state: FillState, event: Extract<Event, { on: "begin" }>, now: number): Step {
  const { phase } = state;
  if (isRunning(phase)) return { state, effects: [] };
  const { subject, attempt, sliceBytes, partBytes } = event;
  if (phase.is === "failed" && phase.resume !== null && isSame(phase.resume.subject, subject)) {
    // What it has cost was for others: from an origin that is read from byte 0 the rest of the bound could never be enough.
    const filling = { ...phase.resume, is: "filling" as const, reopenings: 0, fetched: 0, notBefore: now };
    return { state: { ...state, phase: filling }, effects: [{ do: "pull" }] };
  }
  const { tombstones, effects: left } = leave(state, now);
  const filling: Phase = {
    is: "filling",
    attempt,
    subject,
    size: subject.size,
    sliceBytes,
    stored: 0,
    storedAt: now,
    reopenings: 0,
    fetched: 0,
    partBytes,
    sums: [],
    room: "unknown",
    notBefore: now,
  };
  return { state: { ...state, phase: filling, tombstones }, effects: [...left, { do: "pull" }] };
}

function restarted(state: FillState, now: number): Step {
  const { phase } = state;
  // A put that the object before had under way may land still: nobody waits for its end any more.
  const tombstones = state.tombstones.map(({ attempt, at }) => ({ attempt, at: Math.max(at, now + TOMBSTONE_MS) }));
  const next = tombstones.length === 0 ? state : { ...state, tombstones };
  // What ends the object each time would else be tried for ever: a pull counts as a reopening, puts are counted as they begin.
  if (phase.is === "filling") return reopen(next, phase, "origin", now);
  const inVain = phase.is === "complete" && phase.puts > PUT_AGAIN_MS.length;
  return inVain ? fail(next, phase, "store-unavailable", false, now) : { state: next, effects: [] };
}

function noRoom({ state, effects }: Step, answer: RoomAnswer): Step {
  return { state: answer === "denied-to-policy" ? { ...state, phase: { is: "idle" } } : state, effects };
}

/** The pull has to begin again. @param by what broke */
function reopen(
  state: FillState,
  filling: Filling & { readonly is: "filling"; readonly notBefore: number },
  by: "origin" | "store",
  now: number,
): Step {
  const next = { ...filling, reopenings: filling.reopenings + 1 };
  const pause = REOPEN_MS[filling.reopenings];
  if (pause === undefined || isDear(next)) {
    return fail(state, next, by === "store" ? "store-unavailable" : "fill-failed", !isDear(next), now);
  }
  return { state: { ...state, phase: { ...next, notBefore: now + pause } }, effects: [] };
}

function isDear({ fetched, size }: Filling): boolean {
  return fetched >= ORIGIN_BYTES_FACTOR * size;
}

/** @param keep what is stored is good, and the attempt can go on later */
function fail(state: FillState, filling: Filling, why: FillProblem, keep: boolean, now: number): Step {
  const { attempt } = filling;
  const kept = keep && filling.stored > 0;
  const failed = { is: "failed" as const, why, attempt, until: now + FAILED_MS, resume: kept ? strip(filling) : null };
  const next: FillState = {
    ...state,
    phase: failed,
    tombstones: kept ? state.tombstones : bury(state.tombstones, attempt, now),
    queued: false,
  };
  const effects: Effect[] = [{ do: "abort-pull" }];
  if (!kept) effects.push(...dropped(attempt));
  if (state.queued) effects.push({ do: "queue-failed", why });
  return { state: next, effects };
}

function put(state: FillState, event: Extract<Event, { on: "put" }>, now: number): Step {
  const { phase } = state;
  if (phase.is !== "complete" || phase.attempt !== event.attempt) return { state, effects: [] };
  switch (event.answer) {
    case "kept": {
      const filling = strip(phase);
      const kept: Phase = { ...filling, is: "kept", since: now, slices: true };
      return {
        state: { ...state, phase: kept, leftAloneUntil: rangesFrom(state, now), queued: false },
        effects: [{ do: "index", filling }],
      };
    }
    case "wrong-digest":
      // The gate agreed with other bytes than those that were stored: what is in the slices is not the image.
      return fail({ ...state, leftAloneUntil: now + LEFT_ALONE_MS }, phase, "digest-mismatch", false, now);
    case "unknown": {
      const pause = PUT_AGAIN_MS[phase.puts - 1];
      if (pause === undefined) return fail(state, phase, "store-unavailable", false, now);
      return { state: { ...state, phase: { ...phase, putAt: now + pause } }, effects: [] };
    }
  }
}

/** What R2 holds under the image's key, when this Fill did not know. */
function found(state: FillState, { attempt, subject }: Kept, now: number): Step {
  const { phase } = state;
  if (phase.is !== "idle" && phase.is !== "failed") return { state, effects: [] };
  if (isStopped(state, attempt)) return { state, effects: [] };
  const { tombstones, effects } = leave(state, now);
  const known: Phase = {
    is: "kept",
    attempt,
    subject,
    size: subject.size,
    sliceBytes: 8,
    stored: 0,
    storedAt: now,
    reopenings: 0,
    fetched: 0,
    partBytes: null,
    sums: [],
    room: "had",
    since: now,
    slices: false,
  };
  return { state: { ...state, phase: known, tombstones }, effects };
}

function lost(state: FillState, attempt: string, now: number): Step {
  const { phase } = state;
  if (phase.is !== "kept" || phase.attempt !== attempt) return { state, effects: [] };
  // Whatever is in its place is none of this image, and lists must not name it.
  if (!phase.slices)
    return { state: { ...state, phase: { is: "idle" } }, effects: [{ do: "remove-object" }, ...dropped(attempt)] };
  // Not what it was made of. The put sees to what is in its place: a removal now could end behind it, and take what it has put.
  const complete: Phase = { ...strip(phase), is: "complete", putAt: now + COMMIT_AFTER_MS, puts: 0 };
  return { state: { ...state, phase: complete }, effects: [] };
}

function stop(state: FillState, { read, found }: Extract<Event, { on: "stop" }>, now: number): Step {
  const all: Effect[] = [{ do: "remove-object" }];
  if (state.phase.is === "idle" && !state.queued && found === undefined) return { state, effects: all };
  const left = leave(state, now);
  if (!read) all.push(...left.effects);
  let { tombstones } = left;
  if (found !== undefined && found !== attemptOf(state.phase)) {
    // Should R2 not remove it now, it goes when the tombstone is due.
    tombstones = bury(tombstones, found, now);
    all.push(...dropped(found));
  }
  if (state.phase.is === "filling") all.unshift({ do: "abort-pull" });
  // It holds its place in the queue no longer.
  if (state.queued) all.push({ do: "queue-failed", why: "fill-stopped" });
  return { state: { ...state, phase: { is: "idle" }, tombstones, queued: false }, effects: all };
}

function strip(phase: Filling): Filling {
  const { attempt, size, sliceBytes, subject, stored, storedAt, reopenings, fetched, partBytes, sums, room } = phase;
  return { attempt, size, sliceBytes, subject, stored, storedAt, reopenings, fetched, partBytes, sums, room };
}
