/**
 * The rules of a fill: pure functions from a state and an event to the next state. No clock, no storage, no network:
 * `now` is always given. docs/fills.md has the states and the races.
 */
import type { Ask, Subject, Turn } from "./protocol.ts";

/** A puller that has not been heard of for so long is taken for dead. It reports every second. */
export const LEASE_MS = 5_000;
/** After so many mismatches in a row the image is left alone for a while: the origin's data is wrong, not the way. */
export const MISMATCHES_TOLERATED = 2;
export const LEFT_ALONE_MS = 10 * 60_000;
/** How long after a lone download let go of the store the background waits before it asks the origin for the rest. */
export const QUIET_MS = 5_000;
/** Pauses of the background after an attempt that brought nothing, doubling up to the second. */
export const SETBACK_MS = 5_000;
export const SETBACK_MAX_MS = 5 * 60_000;
/** After so many of them the background waits for the next download, which brings fresh rights. */
export const SETBACKS_TOLERATED = 4;
/** How long a finished fill still answers those who read along. */
export const LINGER_MS = 60_000;

export interface Lease {
  readonly id: string;
  readonly reader: string;
  /** ms since the epoch */
  readonly expires: number;
}

export interface FillState {
  readonly blob: string;
  /** One attempt; a failed one's slices are never read again. */
  readonly generation: string;
  /** Slices of the image. */
  readonly slices: number;
  readonly sliceBytes: number;
  /** Slices 0 to stored - 1 are in R2. */
  readonly stored: number;
  readonly lease: Lease | null;
  /**
   * The lease under which every slice so far was stored, from the first: its holder's digest gate has seen exactly what
   * is stored, so its word counts for all. Null once a second one stored: then only the read-back can tell.
   */
  readonly witness: string | null;
  readonly verdict: "open" | "agreed";
  /** When the fill was committed to the catalog, ms since the epoch. */
  readonly committedAt: number | null;
  /** The last time that bytes came from the origin or were verified, ms since the epoch. */
  readonly progressAt: number;
  /** The last time that a slice was stored, ms since the epoch. */
  readonly storedAt: number;
  /** How far the current puller is, bytes; tells progress from a mere sign of life. */
  readonly received: number;
  /** Generations in a row that did not match the digest, and when the last one did not (ms since the epoch). */
  readonly mismatches: number;
  readonly mismatchedAt: number;
  /** Attempts of the background in a row that brought nothing. */
  readonly setbacks: number;
  /** Until then the background does nothing: a lone download has the link for itself, or an attempt just failed. */
  readonly quietUntil: number;
  /** The image was queued: the background fetches it even if no download ever began. */
  readonly wanted: boolean;
}

export interface Step<T> {
  readonly state: FillState;
  readonly answer: T;
}

/** The state of a new fill, or of the next generation after `previous`. */
export function newGeneration(
  previous: FillState | null,
  fresh: { blob: string; generation: string; slices: number; sliceBytes: number },
  now: number,
): FillState {
  return {
    ...fresh,
    stored: 0,
    lease: null,
    witness: null,
    verdict: "open",
    committedAt: null,
    progressAt: now,
    storedAt: now,
    received: 0,
    mismatches: previous?.mismatches ?? 0,
    mismatchedAt: previous?.mismatchedAt ?? 0,
    setbacks: 0,
    quietUntil: 0,
    wanted: previous?.wanted ?? false,
  };
}

/** The image was queued. What failed before is tried again. */
export function wanted(state: FillState, now: number): FillState {
  return { ...state, wanted: true, setbacks: 0, quietUntil: now };
}

/** It was queued, and the background leaves it alone until it is its turn again. */
export function givenUp(state: FillState): FillState {
  return { ...state, wanted: false };
}

/** Whether an unfinished fill has made no progress for so long that it should go. */
export function isStale(state: FillState, staleMs: number, now: number): boolean {
  return state.committedAt === null && !isPulled(state, now) && now >= staleAt(state, staleMs);
}

function staleAt(state: FillState, staleMs: number): number {
  // Bytes that never make a slice are no progress; a read-back is, however long it takes.
  const verified = state.stored === state.slices ? state.progressAt : 0;
  return Math.max(state.storedAt, verified) + staleMs;
}

/**
 * How a download of the image, by its own record, stands to a fill that was begun with another view of the record: v1
 * knows no digest but the MD5.
 */
export function compareSubjects(filling: Subject, asked: Subject): "share" | "same-image" | "other" {
  if (filling.size !== asked.size) return "other";
  if (filling.blob === asked.blob) return "share";
  if (asked.digest.algorithm === "md5" && filling.checksum === asked.digest.hex) return "share";
  // The fill knows less than the asker does: its verdict would be about the MD5 only.
  return filling.digest.algorithm === "md5" && asked.checksum === filling.digest.hex ? "same-image" : "other";
}

/** Whether the image's data was wrong so often that storing it is not tried for the moment. */
export function isLeftAlone(state: FillState, now: number): boolean {
  return state.mismatches >= MISMATCHES_TOLERATED && now < state.mismatchedAt + LEFT_ALONE_MS;
}

/** Whether somebody holds a lease that still runs. */
export function isPulled(state: FillState, now: number): boolean {
  return state.lease !== null && now < state.lease.expires;
}

/** Answers a reader. `wait` means that nothing but time or another event can change the answer. */
export function answer(state: FillState, ask: Ask, leaseId: string, now: number, stallMs: number): Step<Turn> {
  const stay = (turn: Turn): Step<Turn> => ({ state, answer: turn });
  if (ask.generation !== null && ask.generation !== state.generation) {
    return stay({ do: "cut", why: "digest-mismatch" });
  }
  if (isLeftAlone(state, now)) return stay({ do: "alone", why: "left-alone" });
  const stalled = now - state.progressAt >= stallMs;
  if (ask.need.what === "verdict") {
    if (state.verdict === "agreed") return stay({ do: "finish" });
    return stay(stalled ? { do: "alone", why: "fill-stalled" } : { do: "wait" });
  }
  const { blob, generation, sliceBytes, stored } = state;
  if (ask.need.slice < stored) return stay({ do: "read", blob, generation, sliceBytes, stored });
  if (stored === state.slices) return stay({ do: "wait" });
  if (!isPulled(state, now)) return grant(state, ask.reader, leaseId, now);
  return stay(stalled ? { do: "alone", why: "fill-stalled" } : { do: "wait" });
}

/** Gives the lease to a reader. Called only while nobody holds one. */
function grant(state: FillState, reader: string, leaseId: string, now: number): Step<Turn> {
  const next: FillState = {
    ...state,
    lease: { id: leaseId, reader, expires: now + LEASE_MS },
    witness: state.stored === 0 ? leaseId : null,
    progressAt: now,
    received: 0,
  };
  const { blob, generation, sliceBytes, stored } = state;
  return { state: next, answer: { do: "pull", blob, generation, sliceBytes, slice: stored, lease: leaseId } };
}

/** A puller stored the next slice. `foreign`: another one's bytes stood there already. */
export function sliceStored(
  state: FillState,
  leaseId: string,
  slice: number,
  foreign: boolean,
  now: number,
): FillState {
  if (slice !== state.stored) return state;
  const stored = state.stored + 1;
  const witness = state.witness === leaseId && !foreign ? leaseId : null;
  // The last slice ends the lease: what is left to do is the read-back.
  const lease = stored === state.slices ? null : state.lease;
  return renewed({ ...state, stored, witness, lease, progressAt: now, storedAt: now, setbacks: 0 }, leaseId, now);
}

/** A puller lives, and has received so many bytes of the image under this lease. */
export function alive(state: FillState, leaseId: string, received: number, now: number): FillState {
  if (state.lease?.id !== leaseId) return state;
  const progressed = received > state.received;
  return renewed({ ...state, received, progressAt: progressed ? now : state.progressAt }, leaseId, now);
}

function renewed(state: FillState, leaseId: string, now: number): FillState {
  if (state.lease?.id !== leaseId) return state;
  return { ...state, lease: { ...state.lease, expires: now + LEASE_MS } };
}

/** A puller gives the lease back. `quiet`: it goes on alone and wants the origin's link for itself meanwhile. */
export function released(state: FillState, leaseId: string, quiet: boolean, now: number): FillState {
  if (state.lease?.id !== leaseId) return state;
  return { ...state, lease: null, quietUntil: quiet ? now + QUIET_MS : now };
}

/** A download that let go of the store still runs, or (`ended`) does so no more. */
export function quiet(state: FillState, ended: boolean, now: number): FillState {
  return { ...state, quietUntil: ended ? now : now + QUIET_MS };
}

/** The digest gate of the puller under this lease has seen the whole image agree. */
export function gateAgreed(state: FillState, leaseId: string): FillState {
  return state.witness === leaseId && state.stored === state.slices ? { ...state, verdict: "agreed" } : state;
}

/** The slices were read back and agree; they are in the catalog now. */
export function committed(state: FillState, now: number): FillState {
  return { ...state, verdict: "agreed", committedAt: now, mismatches: 0, lease: null };
}

/** What was pulled is not the image. The caller starts a new generation from the result. */
export function mismatched(state: FillState, now: number): FillState {
  // A mismatch long ago says nothing about the origin's data of today.
  const recent = now < state.mismatchedAt + LEFT_ALONE_MS;
  return { ...state, mismatches: recent ? state.mismatches + 1 : 1, mismatchedAt: now };
}

/** The background got nowhere this time. */
export function setBack(state: FillState, now: number): FillState {
  const pause = Math.min(SETBACK_MS * 2 ** state.setbacks, SETBACK_MAX_MS);
  return { ...state, setbacks: state.setbacks + 1, quietUntil: now + pause };
}

/** The background can't go on, for want of rights or of room: the next download may bring them. */
export function exhausted(state: FillState): FillState {
  return { ...state, setbacks: SETBACKS_TOLERATED };
}

export type Duty =
  /** Nothing to do before this time (ms since the epoch), if nothing happens. */
  | { readonly do: "wait"; readonly until: number }
  /** Nobody pulls: go on in the background. */
  | { readonly do: "fill" }
  /** All is stored: read it back and commit. */
  | { readonly do: "verify" }
  /** The image was queued, and gets nowhere: it makes room for the next one. */
  | { readonly do: "give-up" }
  /** Nothing left that is worth remembering: what is stored and not in the catalog may go. */
  | { readonly do: "forget" };

/**
 * What the alarm of a fill has to do.
 * @param staleMs an unfinished fill without a new slice for so long is dropped (Glance's image_cache_stall_time)
 */
export function duty(state: FillState, now: number, staleMs: number): Duty {
  if (state.committedAt !== null) return waitOr({ do: "forget" }, state.committedAt + LINGER_MS, now);
  if (isPulled(state, now)) return { do: "wait", until: state.lease?.expires ?? now };
  const tries = state.setbacks < SETBACKS_TOLERATED;
  if (state.stored === 0) {
    // Without a slice there is nothing to finish, but an image that was queued is to be begun.
    if (state.wanted) {
      return tries && !isLeftAlone(state, now) ? waitOr({ do: "fill" }, state.quietUntil, now) : { do: "give-up" };
    }
    const remembered = state.mismatches > 0 ? state.mismatchedAt + LEFT_ALONE_MS : state.progressAt + LINGER_MS;
    return waitOr({ do: "forget" }, remembered, now);
  }
  const stale = isStale(state, staleMs, now);
  // Also of what can't be read back, or is about to be forgotten: the next one in the queue must not wait for it.
  if (state.wanted && (stale || !tries)) return { do: "give-up" };
  if (stale) return { do: "forget" };
  if (state.stored === state.slices) return waitOr({ do: "verify" }, state.quietUntil, now);
  // After some attempts it is for the next download to go on.
  if (!tries) return { do: "wait", until: staleAt(state, staleMs) };
  return waitOr({ do: "fill" }, state.quietUntil, now);
}

function waitOr(then: Duty, until: number, now: number): Duty {
  return now < until ? { do: "wait", until } : then;
}

/** How long a client may keep a puller from reading on while others wait for the same bytes. */
export const SLOW_CLIENT_MS = 1_500;
/** What a lone download may lose to a slow store: a fixed allowance, and a share of its time so far. */
const STORE_WAIT_MS = 250;
const STORE_WAIT_SHARE = 0.04;

/** Whether a puller should go on without its own client, because that one does not take the bytes. */
export function shouldDetach(clientBlockedMs: number, waiters: number): boolean {
  return waiters > 0 && clientBlockedMs >= SLOW_CLIENT_MS;
}

/** Whether a lone download should stop storing, because the store slows it down. Others waiting need the store. */
export function shouldLetGo(storeBlockedMs: number, elapsedMs: number, waiters: number): boolean {
  return waiters === 0 && storeBlockedMs > STORE_WAIT_MS + STORE_WAIT_SHARE * elapsedMs;
}
