/** Counts figures, and sees to it that they reach D1, behind what is going on. */

import type { Log } from "../lib/log.ts";
import type { Counter, Histogram, LabelOf } from "./figures.ts";
import type { Tally } from "./tally.ts";
import type { Traffic } from "./traffic.ts";
import { writeBehind } from "./write-behind.ts";

/** What a meter works with. */
export interface MeterTools {
  /** The isolate's. */
  readonly tally: Tally;
  readonly traffic: Traffic;
  readonly background: (work: Promise<unknown>) => void;
  readonly log: Log;
  readonly now: () => number;
}

export class Meter {
  readonly #tools: MeterTools;

  constructor(tools: MeterTools) {
    this.#tools = tools;
  }

  add<F extends Counter>(figure: F, label: LabelOf<F>, value = 1): void {
    const { tally, now } = this.#tools;
    tally.add(figure, label, now(), value);
    this.#write();
  }

  /** A time that was measured. */
  observe(figure: Histogram, ms: number): void {
    const { tally, now } = this.#tools;
    tally.observe(figure, ms, now());
    this.#write();
  }

  #write(): void {
    const { tally, traffic, background, log, now } = this.#tools;
    const written = writeBehind(
      tally,
      (counts) => traffic.add(counts),
      now,
      (cause, counts) => log.error("figures.not-written", cause, { counts }),
    );
    if (written !== null) background(written);
  }
}
