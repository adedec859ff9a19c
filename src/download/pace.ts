/** How a reader goes about its download: how much it opens ahead, how long it sends, how long it asks. */

/**
 * Slices that are opened ahead: with 200 ms per get one gives 28 MB/s, two 37. Four and the one that is sent are what may wait at a
 * time beside one more call (six: Workers limits page).
 */
export const AHEAD = 4;
/** After so long, ms, no further slice is begun: a reader who is silent for 30 s is gone for its Fill. */
export const BACK_AFTER_MS = 10_000;
/** How long one question may wait at the Fill, ms. */
export const WAIT_MS = 10_000;
/**
 * The same for a reader's first one. That one is whether the Fill answers at all, and one that hangs is to cost a download little; but
 * the first slice is worth waiting for: who is told to ask again gets a turn behind all others that came.
 */
export const FIRST_WAIT_MS = 500;
/**
 * A reader whose turn at its Fill is further off, ms, looks for slices in R2 by itself, as often: some 400 others are before it.
 * R2 has no bound on reads.
 */
export const LOOK_MS = 2_000;
