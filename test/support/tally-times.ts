/** So short that a test can wait for it: in the place of src/store/tally-times.ts. */

export const WRITE_FIGURES_MS = 100;
