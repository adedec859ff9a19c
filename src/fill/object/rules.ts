/**
 * The rules of a fill: pure functions from a state and an event to the next state and what is to be done. No clock, no
 * storage, no network: `now` is always given. docs/fills.md has the states, the events and the races.
 */
import { sliceCount, sliceStart } from "../../store/slice-plan.ts";
import type { Answer, Ask, Cut, FillProblem, Subject } from "../protocol.ts";

/** After so many reopenings of the origin without a new slice the attempt ends. */
export const REOPENINGS = 3;
/** Pauses before them, ms. */
export const REOPEN_MS = [1_000, 4_000, 10_000] as const;
/** An attempt may take so many times the image from the origin: one that must begin at byte 0 each time would go on for ever. */
export const ORIGIN_BYTES_FACTOR = 3;
/** How long a failure is told to those who ask, before the next one begins anew. */
export const FAILED_MS = 10_000;
/** How long an image whose data was wrong is left alone: nothing refills it in the background, and its ranges are refused. */
export const LEFT_ALONE_MS = 24 * 3_600_000;
/** For so long after an attempt agreed at last, ranges are refused still: a client may hold the first part of the wrong data. */
export const RANGES_AFTER_MISMATCH_MS = 10 * 60_000;
/** How long after the last slice the one put begins: it competes with readers for R2, and nobody waits for it. */
export const COMMIT_AFTER_MS = 2_000;
/** While clients still read what is complete, it waits for them; so long at the most, since one of them may be slow. */
export const COMMIT_LATEST_MS = 12_000;
/** Pauses between tries of the put: R2 wants a second between writes to one key. */
export const PUT_AGAIN_MS = [2_000, 10_000, 60_000] as const;
/** How long slices stay behind the commit, for those who read them. */
export const SLICES_LINGER_MS = 60_000;
/** When what a stopped attempt may still have put is removed once more: a put under way can't be called back. */
export const TOMBSTONE_MS = 120_000;
/** Ranges that begin so far behind what is stored wait for it, bytes: a client that reads piece by piece is a reader. */
export const RANGE_AHEAD_BYTES = 64 * 2 ** 20;
/** An object must hear its alarm well before it would be put away for idleness (10 s, Durable Objects docs, lifecycle). */
export const HEARTBEAT_MS = 5_000;

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
  | ({ readonly is: "complete"; readonly putAt: number; readonly puts: number; readonly putting: boolean } & Filling)
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
  /** Until then the image is left alone, ms since the epoch; 0 when its data was not wrong. */
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
  /** The origin broke off, stalled, or failed. */
  | { readonly on: "broken"; readonly attempt: string; readonly fetched: number }
  /** The attempt can't go on: the store refused, or its slices are gone. `keep`: what is stored is good. */
  | { readonly on: "failed"; readonly attempt: string; readonly why: FillProblem; readonly keep: boolean }
  | { readonly on: "mismatched"; readonly attempt: string }
  | { readonly on: "putting"; readonly attempt: string }
  /** The put waits: there is no word yet about its room. */
  | { readonly on: "postponed"; readonly attempt: string; readonly until: number }
  | { readonly on: "put"; readonly attempt: string; readonly answer: "kept" | "wrong-digest" | "unknown" }
  /** What is kept was looked at, and is of this attempt; null: nothing is. */
  | { readonly on: "found"; readonly kept: Kept | null }
  /** The slices of a kept image have had their time. */
  | { readonly on: "swept" }
  | { readonly on: "buried"; readonly attempts: readonly string[] }
  | { readonly on: "stop" };

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
      if (event.stored < sliceCount(phase)) return { state: { ...state, phase: next }, effects: [] };
      const { notBefore: _, ...filling } = next;
      const complete = { ...filling, is: "complete" as const, putAt: now + COMMIT_AFTER_MS, puts: 0, putting: false };
      return { state: { ...state, phase: complete }, effects: [] };
    }
    case "broken": {
      if (phase.is !== "filling" || phase.attempt !== event.attempt) return same();
      const reopenings = phase.reopenings + 1;
      const pause = REOPEN_MS[phase.reopenings];
      const dear = event.fetched >= ORIGIN_BYTES_FACTOR * phase.size;
      const next = { ...phase, reopenings, fetched: event.fetched };
      if (pause === undefined || dear) return fail(state, next, "fill-failed", !dear, now);
      return { state: { ...state, phase: { ...next, notBefore: now + pause } }, effects: [] };
    }
    case "failed":
      if (phase.is !== "filling" && phase.is !== "complete") return same();
      if (phase.attempt !== event.attempt) return same();
      return fail(state, phase, event.why, event.keep, now);
    case "mismatched":
      if (phase.is !== "filling" || phase.attempt !== event.attempt) return same();
      return fail({ ...state, leftAloneUntil: now + LEFT_ALONE_MS }, phase, "digest-mismatch", false, now);
    case "putting":
      if (phase.is !== "complete" || phase.attempt !== event.attempt) return same();
      return { state: { ...state, phase: { ...phase, putting: true, puts: phase.puts + 1 } }, effects: [] };
    case "postponed":
      if (phase.is !== "complete" || phase.attempt !== event.attempt) return same();
      return { state: { ...state, phase: { ...phase, putting: false, putAt: event.until } }, effects: [] };
    case "put":
      return put(state, event, now);
    case "found":
      return found(state, event.kept, now);
    case "swept":
      return phase.is === "kept" ? { state: { ...state, phase: { is: "idle" } }, effects: [] } : same();
    case "buried": {
      const tombstones = state.tombstones.filter(({ attempt }) => !event.attempts.includes(attempt));
      return { state: { ...state, tombstones }, effects: [] };
    }
    case "stop":
      return stop(state, now);
  }
}

function begin(state: FillState, event: Extract<Event, { on: "begin" }>, now: number): Step {
  const { phase } = state;
  if (phase.is === "filling" || phase.is === "complete") return { state, effects: [] };
  const { subject, attempt, sliceBytes, partBytes } = event;
  const resume = phase.is === "failed" ? phase.resume : null;
  if (resume !== null && isSame(resume.subject, subject)) {
    const filling = { ...resume, is: "filling" as const, reopenings: 0, notBefore: now };
    return { state: { ...state, phase: filling }, effects: [{ do: "pull" }] };
  }
  const left: Effect[] = resume === null ? [] : dropped(resume.attempt);
  const tombstones = resume === null ? state.tombstones : bury(state.tombstones, resume.attempt, now);
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
        state: { ...state, phase: kept, leftAloneUntil: 0, queued: false },
        effects: [{ do: "index", filling }],
      };
    }
    case "wrong-digest":
      // The gate agreed with other bytes than those that were stored: what is in the slices is not the image.
      return fail({ ...state, leftAloneUntil: now + LEFT_ALONE_MS }, phase, "digest-mismatch", false, now);
    case "unknown": {
      const pause = PUT_AGAIN_MS[phase.puts - 1];
      if (pause === undefined) return fail(state, phase, "store-unavailable", false, now);
      return { state: { ...state, phase: { ...phase, putting: false, putAt: now + pause } }, effects: [] };
    }
  }
}

/** What R2 holds under the image's key, when this Fill did not know or somebody did not find it. */
function found(state: FillState, kept: Kept | null, now: number): Step {
  const { phase } = state;
  if (kept === null) {
    if (phase.is !== "kept") return { state, effects: [] };
    const { since: _, slices, ...filling } = phase;
    if (!slices) return { state: { ...state, phase: { is: "idle" } }, effects: [] };
    // The object was lost, but not what it was made of.
    const complete: Phase = { ...filling, is: "complete", putAt: now, puts: 0, putting: false };
    return { state: { ...state, phase: complete }, effects: [] };
  }
  if (phase.is !== "idle" && phase.is !== "failed") return { state, effects: [] };
  const effects = phase.is === "failed" && phase.resume !== null ? dropped(phase.resume.attempt) : [];
  const { attempt, subject } = kept;
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
  return { state: { ...state, phase: known }, effects };
}

function stop(state: FillState, now: number): Step {
  const { phase } = state;
  const effects: Effect[] = [{ do: "remove-object" }];
  let { tombstones } = state;
  if (phase.is === "filling") effects.unshift({ do: "abort-pull" });
  const attempt = phase.is === "idle" ? null : phase.is === "failed" ? (phase.resume?.attempt ?? null) : phase.attempt;
  if (attempt !== null) {
    // Also the object: its put may be under way.
    tombstones = bury(tombstones, attempt, now);
    effects.push(...dropped(attempt));
  }
  return { state: { ...state, phase: { is: "idle" }, tombstones, queued: false }, effects };
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

/** What a reader is told, where the state alone can say. */
export type Say =
  | Answer
  /** Begin, or go on with, an attempt for it first. */
  | { readonly do: "begin" }
  /** A fill is under way for another content of this image: end it first. */
  | { readonly do: "replace" };

/** Answers a reader. Nothing but time or an event can change a `wait`. @param askAgainMs {@link spacing} */
export function answer(state: FillState, ask: Ask, askAgainMs: number, now: number): Say {
  const { phase } = state;
  // Ranges complete what a client holds already, which may be of the wrong data.
  if (ask.want !== "whole" && now < state.leftAloneUntil) {
    return { do: "failed", why: "digest-mismatch", relay: null };
  }
  switch (phase.is) {
    case "idle":
      if (ask.sent) return { do: "cut", why: "fill-stopped" };
      return isFarAhead(ask, 0) ? { do: "origin" } : { do: "begin" };
    case "failed": {
      const mine = ask.attempt === phase.attempt;
      if (ask.sent && !(mine && phase.resume !== null)) return { do: "cut", why: phase.why };
      if (phase.why === "digest-mismatch") return mine ? failed(phase.why) : { do: "begin" };
      if (now < phase.until) return phase.why === "fill-failed" ? failed(phase.why) : { do: "alone", why: phase.why };
      return isFarAhead(ask, phase.resume?.stored ?? 0) ? { do: "origin" } : { do: "begin" };
    }
    case "kept":
      if (!isSame(phase.subject, ask.subject)) return ask.sent ? { do: "cut", why: "fill-stopped" } : { do: "replace" };
      if (ask.sent && ask.attempt !== phase.attempt) return { do: "cut", why: "fill-stopped" };
      if (ask.attempt === phase.attempt && phase.slices) return read(phase, askAgainMs);
      return { do: "kept", attempt: phase.attempt };
    case "filling":
    case "complete": {
      const relation = compare(phase.subject, ask.subject);
      if (relation === "other") return ask.sent ? { do: "cut", why: "fill-stopped" } : { do: "replace" };
      if (ask.sent && ask.attempt !== phase.attempt) return { do: "cut", why: "fill-stopped" };
      if (relation === "weaker") return { do: "alone", why: "fill-weaker" };
      const storedBytes = sliceStart(phase, phase.stored);
      if (ask.at < storedBytes || phase.is === "complete") return read(phase, askAgainMs);
      return isFarAhead(ask, storedBytes) ? { do: "origin" } : { do: "wait", askAgainMs };
    }
  }
}

function failed(why: FillProblem): Answer {
  return { do: "failed", why, relay: null };
}

function read(filling: Filling, askAgainMs: number): Answer {
  const { attempt, size, sliceBytes, stored } = filling;
  return { do: "read", attempt, size, sliceBytes, stored, began: false, askAgainMs };
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

/**
 * How long a reader waits between two asks, ms, so that a Fill sees at most some 200 a second however many follow it (an
 * object takes 500 to 1,000: Durable Objects limits page).
 */
export function spacing(readers: number): number {
  return Math.max(50, readers * 5);
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
  const beat = now + HEARTBEAT_MS;
  switch (phase.is) {
    case "filling":
      if (now >= phase.storedAt + staleMs) return { do: "stop" };
      return now >= phase.notBefore ? { do: "pull" } : { do: "wait", until: phase.notBefore };
    case "complete":
      if (now >= phase.storedAt + staleMs) return { do: "stop" };
      if (phase.putting) return { do: "wait", until: beat };
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
