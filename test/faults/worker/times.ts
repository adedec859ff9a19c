/** The measures of a fill as small as those of the other tests, and a range so short a way ahead that small images have one. */
export * from "../../support/times.ts";
export const RANGE_AHEAD_BYTES = 128 * 2 ** 10;
