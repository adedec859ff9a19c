/**
 * The measures of a fill: its times, ms, and how far ahead a range may be. In a module of their own, in whose place the tests inside workerd have smaller ones
 * (test/support/times.ts).
 */

/** Pauses before further openings of the origin, ms; after so many without a new slice the attempt ends. */
export const REOPEN_MS = [1_000, 4_000, 10_000] as const;
/** How long a failure is told to those who ask, before the next one begins anew. */
export const FAILED_MS = 10_000;
/** For so long after an attempt agreed at last, ranges are refused still: a client may hold the first part of the wrong data. */
export const RANGES_AFTER_MISMATCH_MS = 10 * 60_000;
/** How long after the last slice the one put begins: it competes with readers for R2, and nobody waits for it. */
export const COMMIT_AFTER_MS = 2_000;
/** While clients still read what is complete, the put waits for them; so long at the most, since one of them may be slow. */
export const COMMIT_LATEST_MS = 12_000;
/** Pauses between tries of the put: R2 wants a second between writes to one key. */
export const PUT_AGAIN_MS = [2_000, 10_000, 60_000] as const;
/** How long slices stay behind the commit, for those who read them. */
export const SLICES_LINGER_MS = 60_000;
/** When what a stopped attempt may still have put is removed once more: a put under way can't be called back. */
export const TOMBSTONE_MS = 120_000;
/** An object must hear its alarm well before it would be put away for idleness (10 s, Durable Objects docs, lifecycle). */
export const HEARTBEAT_MS = 5_000;
/** Pauses before further tries to store a slice, ms. */
export const SLICE_AGAIN_MS = [250, 1_000, 4_000];
/** A put of 8 MiB takes well below a second. One that does not move for so long can't be called back: only a new object can go on. */
export const PUT_MS = 60_000;
/** How long a pull waits for memory: all of the pool is put and given back in some seconds. */
export const BUFFER_MS = 60_000;
/** When room is asked for again, or a put that waits for it. */
export const ROOM_AGAIN_MS = 15_000;

/** Ranges that begin so far behind what is stored wait for it, bytes: a client that reads piece by piece is a reader. */
export const RANGE_AHEAD_BYTES = 64 * 2 ** 20;
