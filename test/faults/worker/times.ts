/** The measures of a fill smaller still than those of the other tests, so that a run is over soon. */
export * from "../../support/times.ts";
export const FAILED_MS = 400;
export const RANGES_AFTER_MISMATCH_MS = 1_500;
export const SLICES_LINGER_MS = 500;
export const TOMBSTONE_MS = 500;
/** So small that images of these tests have ranges far ahead. */
export const RANGE_AHEAD_BYTES = 128 * 2 ** 10;
