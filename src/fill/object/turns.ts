/** When readers ask again: each at a time of its own, since a Fill answers one after the other. */

/** A reader does not ask again before, ms. */
const ASK_AGAIN_MS = 50;
/** Between the turns of two readers, ms: 200 a second, of the 500 to 1,000 that an object takes (Durable Objects limits page). */
const TURN_MS = 5;
/**
 * Between turns that are further off than this, ms: who has such a one looks for slices by itself (src/download/pace.ts) and
 * asks to be seen, so that half as many are enough. The other half is for those who come.
 */
const FAR_MS = 2_000;
const FAR_TURN_MS = 10;

/**
 * When a reader may ask again, ms since the epoch. Each has a turn of its own: all of them are told of a slice at the same
 * moment, and would come back at the same moment.
 * @param last the turn that was given out before
 */
export function nextTurn(last: number, now: number): number {
  return Math.max(now + ASK_AGAIN_MS, last + (last - now < FAR_MS ? TURN_MS : FAR_TURN_MS));
}

/** How far so many readers' turns reach, ms: so long after a slice was stored the last of them has heard of it. */
export function spacing(readers: number): number {
  return ASK_AGAIN_MS + readers * (readers * FAR_TURN_MS < FAR_MS ? TURN_MS : FAR_TURN_MS);
}
