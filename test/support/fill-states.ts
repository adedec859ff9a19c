/** States of a fill and questions to it, for the tests of single rules. */
import type { Ask } from "../../src/fill/protocol.ts";
import * as rules from "../../src/fill/rules.ts";

export const NOW = 10 ** 9;
export const STALL_MS = 20_000;
/** The default of CLEAN_STALL_SECONDS. */
export const STALE_MS = 86_400_000;
export const CUT = { blob: "sha256-a", generation: "g", sliceBytes: 64 };
export const FRESH = rules.newGeneration(null, { ...CUT, slices: 3 }, NOW);
export const state = (change: Partial<rules.FillState>): rules.FillState => ({ ...FRESH, ...change });
export const lease = (change: Partial<rules.Lease> = {}): rules.Lease => ({
  id: "l",
  reader: "r",
  expires: NOW + rules.LEASE_MS,
  ...change,
});
export const slice = (number: number, generation: string | null = null): Ask => ({
  reader: "reader",
  generation,
  need: { what: "slice", slice: number },
});
export const verdict = (generation: string | null = "g"): Ask => ({
  reader: "reader",
  generation,
  need: { what: "verdict" },
});
export const answer = (of: Partial<rules.FillState>, ask: Ask, now = NOW) =>
  rules.answer(state(of), ask, "new", now, STALL_MS).answer;
