/** The images of a trial: the same bytes under three ids, since each image has a fill of its own. */

export const SEED = 20_261_125;

export const HIT_IMAGE = "00000000-0000-4000-8000-000000000001";
export const STORM_IMAGE = "00000000-0000-4000-8000-000000000002";
/** Comes so slowly that a deploy happens in the middle. */
export const SLOW_IMAGE = "00000000-0000-4000-8000-000000000003";
