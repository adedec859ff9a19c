/** How a reader goes about its download: how much it opens ahead, how long it sends, how long it asks. */

/** Slices that are asked for ahead: with 200 ms per get one gives 28 MB/s, two 37. */
export const AHEAD = 2;
/** After so long, ms, no further slice is begun: a reader who is silent for 30 s is gone for its Fill. */
export const BACK_AFTER_MS = 10_000;
/** How long one question may wait at the Fill, ms. */
export const WAIT_MS = 10_000;
/**
 * A reader whose turn at its Fill is further off, ms, looks for slices in R2 by itself, as often: some 400 others are before it.
 * A look in vain costs as much as a call, but R2 takes any number.
 */
export const LOOK_MS = 2_000;

/** How many slices to look for the next time: one more than there were, or twice as many while all that were looked for are there. */
export function lookFor(tried: number, found: number): number {
  return found === tried ? 2 * tried : found + 1;
}
