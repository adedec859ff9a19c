/** Figures of one isolate, counted in memory until they are written to D1. Pure: no clock, no I/O. */

import { bucketOf, type Counter, type Histogram, type LabelOf, SUM } from "./figures.ts";
import { WRITE_FIGURES_MS } from "./tally-times.ts";
import { type Counted, WriteTurns } from "./write-behind.ts";

const HOUR_MS = 3_600_000;

/** What a figure has grown by in one hour. */
export interface Count {
  /** Hours since the epoch. */
  readonly hour: number;
  readonly figure: string;
  readonly label: string;
  readonly value: number;
}

/** @param now ms since the epoch @returns hours since then */
export function hourOf(now: number): number {
  return Math.floor(now / HOUR_MS);
}

export class Tally implements Counted<Count> {
  readonly #counts = new Map<string, Count>();
  readonly #turns = new WriteTurns(WRITE_FIGURES_MS, WRITE_FIGURES_MS / 2);

  /** @param now ms since the epoch */
  add<F extends Counter>(figure: F, label: LabelOf<F>, now: number, value = 1): void {
    this.#add({ hour: hourOf(now), figure, label, value });
  }

  /** A time that was measured. @param now ms since the epoch */
  observe(figure: Histogram, ms: number, now: number): void {
    // A clock that was set back in between.
    const taken = Math.max(0, Math.round(ms));
    this.#add({ hour: hourOf(now), figure, label: bucketOf(taken), value: 1 });
    this.#add({ hour: hourOf(now), figure, label: SUM, value: taken });
  }

  planWrite(now: number): number | null {
    return this.#turns.plan(now);
  }

  take(now: number): Count[] {
    this.#turns.begin(now);
    const counts = [...this.#counts.values()];
    this.#counts.clear();
    return counts;
  }

  giveBack(counts: readonly Count[]): void {
    for (const count of counts) this.#add(count);
  }

  #add(count: Count): void {
    if (count.value === 0) return;
    const key = `${count.hour} ${count.figure} ${count.label}`;
    const before = this.#counts.get(key)?.value ?? 0;
    this.#counts.set(key, { ...count, value: before + count.value });
  }
}
