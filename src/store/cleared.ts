/**
 * Which rows of `images` count as there. Emptying a long cache takes its Fills many calls, and goes on behind the request that
 * asked for it: what was kept until then is not listed any more, and goes as `upkeep/cleared.ts` tells.
 */

/** The task in table `upkeep` whose cursor is the time (ms since the epoch) up to which images were cleared. */
export const CLEARED = "cleared";

const UNTIL = `COALESCE((SELECT CAST(cursor AS INTEGER) FROM upkeep WHERE task = '${CLEARED}'), -1)`;

/** Conditions in SQL for a row of `images`. */
export const LISTED = `committed_at > ${UNTIL}`;
/** The rest: for a moment all that there was, else none, so that they are found by the index. */
export const UNLISTED = `committed_at <= ${UNTIL}`;
