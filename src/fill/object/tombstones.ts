/** What is left of attempts that were stopped: remembered until it is sure that none of their puts lands any more. Pure. */
import type { Effect, Step } from "./events.ts";
import { attemptOf, type FillState, type Tombstone } from "./state.ts";
import { TOMBSTONE_MS } from "./times.ts";

type Tombstones = readonly Tombstone[];

/** Leaves the attempt that there is, if any: what it has stored goes, now and once more later, also what is still being put. */
export function leave(
  { phase, tombstones }: FillState,
  now: number,
): Pick<FillState, "tombstones"> & Pick<Step, "effects"> {
  const attempt = attemptOf(phase);
  if (attempt === null) return { tombstones, effects: [] };
  return { tombstones: bury(tombstones, attempt, now), effects: dropped(attempt) };
}

export function dropped(attempt: string): Effect[] {
  return [{ do: "drop", attempt }];
}

export function bury(tombstones: Tombstones, attempt: string, now: number): Tombstones {
  return [...tombstones.filter((stone) => stone.attempt !== attempt), { attempt, at: now + TOMBSTONE_MS }];
}

/** They are looked for once more now; where that fails, again later. */
export function later(tombstones: Tombstones, attempts: readonly string[], now: number): Tombstones {
  const at = now + TOMBSTONE_MS;
  return tombstones.map((stone) => (attempts.includes(stone.attempt) ? { ...stone, at } : stone));
}

/** They were looked for. */
export function without(tombstones: Tombstones, attempts: readonly string[]): Tombstones {
  return tombstones.filter(({ attempt }) => !attempts.includes(attempt));
}
