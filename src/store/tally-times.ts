/** In a module of its own, in whose place the tests inside workerd have a shorter one (test/support/tally-times.ts). */

/** Figures are written once in so long by an isolate, at the most, ms. */
export const WRITE_FIGURES_MS = 5_000;
