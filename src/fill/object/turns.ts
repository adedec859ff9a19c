/** When readers ask again: each at a time of its own, since a Fill answers one after the other. */

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
