/**
 * The rules of a fill: pure functions from a state and an event to the next state and what is to be done. No clock, no
 * storage, no network: `now` is always given. docs/fills.md has the states, the events and the races.
 */
import { sliceCount, sliceStart } from "../../store/slice-plan.ts";
import type { Answer, Ask, Cut, FillProblem, Subject } from "../protocol.ts";
import {
  COMMIT_AFTER_MS,
  COMMIT_LATEST_MS,
  FAILED_MS,
  PUT_AGAIN_MS,
  RANGES_AFTER_MISMATCH_MS,
  REOPEN_MS,
  SLICES_LINGER_MS,
  TOMBSTONE_MS,
} from "./times.ts";

export * from "./times.ts";

/** An attempt may take so many times the image from the origin: one that must begin at byte 0 each time would go on for ever. */
export const ORIGIN_BYTES_FACTOR = 3;
/** How long an image whose data was wrong is left alone: nothing refills it in the background, and its ranges are refused. */
export const LEFT_ALONE_MS = 24 * 3_600_000;
/** Ranges that begin so far behind what is stored wait for it, bytes: a client that reads piece by piece is a reader. */
export const RANGE_AHEAD_BYTES = 64 * 2 ** 20;

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
interface Tombstone {
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

export type Event =
  | {
      readonly on: "begin";
      readonly subject: Subject;
      readonly attempt: string;
      readonly sliceBytes: number;
      readonly partBytes: number | null;
    }
  | { readonly on: "queued"; readonly queued: boolean }
  | { readonly on: "room"; readonly attempt: string; readonly answer: "had" | "denied" }
  | {
      readonly on: "stored";
      readonly attempt: string;
      readonly stored: number;
      readonly fetched: number;
      readonly sums: readonly string[];
    }
  /** The origin broke off, stalled or failed; or a put hangs, and only a new object can go on. */
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
  /** What was kept of this attempt is not there any more. */
  | { readonly on: "lost"; readonly attempt: string }
  /** All that was in memory is gone: pull, put, readers, rights. */
  | { readonly on: "restarted" }
  /** The slices of a kept image have had their time. */
  | { readonly on: "swept" }
  | { readonly on: "buried"; readonly attempts: readonly string[] }
  /** The image is to go. `read`: clients read its slices, which stay for them until the tombstone is due. */
  | { readonly on: "stop"; readonly read: boolean };

/** A kept image that this Fill knows only from R2. */
interface Kept {
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

export function newFill(imageId: string): FillState {
  return { imageId, phase: { is: "idle" }, leftAloneUntil: 0, tombstones: [], queued: false };
}

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
      return fail(state, phase, "no-room", false, now);
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
      return phase.is === "kept" ? { state: { ...state, phase: { is: "idle" } }, effects: [] } : same();
    case "buried": {
      const tombstones = state.tombstones.filter(({ attempt }) => !event.attempts.includes(attempt));
      return { state: { ...state, tombstones }, effects: [] };
    }
    case "stop":
      return stop(state, event.read, now);
  }
}

function begin(state: FillState, event: Extract<Event, { on: "begin" }>, now: number): Step {
  const { phase } = state;
  if (phase.is === "filling" || phase.is === "complete") return { state, effects: [] };
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
  // Counted as a reopening: what ends the object each time would else be tried for ever.
  return phase.is === "filling" ? reopen(next, phase, "origin", now) : { state: next, effects: [] };
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

/** Until when ranges of an image that is kept now are refused, ms since the epoch; 0 where its data never was wrong. */
export function rangesFrom(state: FillState, now: number): number {
  return now < state.leftAloneUntil ? now + RANGES_AFTER_MISMATCH_MS : 0;
}

/** Whether what R2 holds of this attempt is to go: a put that was under way when it was stopped. */
export function isStopped(state: FillState, attempt: string): boolean {
  return state.tombstones.some((stone) => stone.attempt === attempt);
}

/** Whether this attempt is what the fill is about, still: none that was stopped, or has failed. */
export function isCurrent({ phase }: FillState, attempt: string): boolean {
  return (phase.is === "filling" || phase.is === "complete" || phase.is === "kept") && phase.attempt === attempt;
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
  const effects: Effect[] = [{ do: "remove-object" }];
  if (!phase.slices) return { state: { ...state, phase: { is: "idle" } }, effects };
  // Not what it was made of.
  const complete: Phase = { ...strip(phase), is: "complete", putAt: now + COMMIT_AFTER_MS, puts: 0 };
  return { state: { ...state, phase: complete }, effects };
}

/** @param read clients read what is kept of the attempt: its slices stay for them until the tombstone is due */
function stop(state: FillState, read: boolean, now: number): Step {
  const all: Effect[] = [{ do: "remove-object" }];
  if (state.phase.is === "idle" && !state.queued) return { state, effects: all };
  const { tombstones, effects } = leave(state, now);
  if (!read) all.push(...effects);
  if (state.phase.is === "filling") all.unshift({ do: "abort-pull" });
  // It holds its place in the queue no longer.
  if (state.queued) all.push({ do: "queue-failed", why: "fill-stopped" });
  return { state: { ...state, phase: { is: "idle" }, tombstones, queued: false }, effects: all };
}

/** Leaves the attempt that there is, if any: what it has stored goes, now and once more later, also what is still being put. */
function leave({ phase, tombstones }: FillState, now: number): Pick<FillState, "tombstones"> & Pick<Step, "effects"> {
  const attempt = phase.is === "idle" ? null : phase.is === "failed" ? (phase.resume?.attempt ?? null) : phase.attempt;
  if (attempt === null) return { tombstones, effects: [] };
  return { tombstones: bury(tombstones, attempt, now), effects: dropped(attempt) };
}

function dropped(attempt: string): Effect[] {
  return [{ do: "drop", attempt }];
}

function bury(tombstones: readonly Tombstone[], attempt: string, now: number): readonly Tombstone[] {
  return [...tombstones.filter((stone) => stone.attempt !== attempt), { attempt, at: now + TOMBSTONE_MS }];
}

function strip(phase: Filling): Filling {
  const { attempt, size, sliceBytes, subject, stored, storedAt, reopenings, fetched, partBytes, sums, room } = phase;
  return { attempt, size, sliceBytes, subject, stored, storedAt, reopenings, fetched, partBytes, sums, room };
}

/** What a reader is told, where the state alone can say. When it asks again is {@link nextTurn}'s. */
export type Say =
  | Exclude<Answer, { readonly do: "read" | "wait" }>
  | ({ readonly do: "read"; readonly stored: number } & Cut)
  | { readonly do: "wait"; readonly attempt: string }
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
      return isFarAhead(ask, stored) ? { do: "origin" } : { do: "wait", attempt: phase.attempt };
    }
  }
}

function failed(why: FillProblem): Say {
  return { do: "failed", why, relay: null };
}

function read(filling: Filling): Say {
  const { attempt, size, sliceBytes, stored } = filling;
  return { do: "read", attempt, size, sliceBytes, stored };
}

/** The image's byte up to which slices are stored. */
export function storedBytes(filling: Filling): number {
  return Math.min(filling.size, sliceStart(filling, filling.stored));
}

/** @param stored bytes */
function isFarAhead(ask: Ask, stored: number): boolean {
  return ask.want === "range" && ask.at > stored + RANGE_AHEAD_BYTES;
}

/** How a download stands to a fill that was begun with another view of the record: v1 knows no digest but the MD5. */
export function compare(filling: Subject, asked: Subject): "same" | "weaker" | "other" {
  if (isSame(filling, asked)) return "same";
  // The fill knows less than the asker does: its gate is about the MD5 only.
  const weaker = filling.digest.algorithm === "md5" && asked.checksum === filling.digest.hex;
  return weaker && filling.size === asked.size ? "weaker" : "other";
}

function isSame(filling: Subject, asked: Subject): boolean {
  if (filling.size !== asked.size) return false;
  const { algorithm, hex } = asked.digest;
  if (filling.digest.algorithm === algorithm) return filling.digest.hex === hex;
  return algorithm === "md5" && filling.checksum === hex;
}

/** A reader does not ask again before, ms. */
const ASK_AGAIN_MS = 50;
/** Between the turns of two readers, ms: 200 a second, of the 500 to 1,000 that an object takes (Durable Objects limits page). */
const TURN_MS = 5;

/**
 * When a reader may ask again, ms since the epoch. Each has a turn of its own: all of them are told of a slice at the same
 * moment, and would come back at the same moment.
 * @param last the turn that was given out before
 */
export function nextTurn(last: number, now: number): number {
  return Math.max(now + ASK_AGAIN_MS, last + TURN_MS);
}

/** How far so many readers' turns reach, ms: so long after a slice was stored the last of them has heard of it. */
export function spacing(readers: number): number {
  return ASK_AGAIN_MS + readers * TURN_MS;
}

/** What is to be done by the clock, if nothing happens before. */
export type Duty =
  | { readonly do: "wait"; readonly until: number }
  | { readonly do: "pull" }
  | { readonly do: "put" }
  | { readonly do: "sweep-slices" }
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
      return now >= until ? { do: "sweep-slices" } : { do: "wait", until };
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
