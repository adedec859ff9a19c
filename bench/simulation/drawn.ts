/** Times that differ as those of a service do. */
import type { Random } from "../random.ts";

/** How long something takes, ms: its best, the middle, and what one in a hundred exceeds. */
export interface Times {
  readonly best: number;
  readonly median: number;
  readonly p99: number;
}

/** Values that are drawn from: as many as make the hundredth part's tail a smooth one. */
const VALUES = 4_096;
/** The normal distribution's 99th percentile. */
const Z99 = 2.326;

/** Draws times whose logarithm is normally distributed, as latencies of stores roughly are, cut off at the best. */
export class Drawn {
  readonly #values: Float64Array;
  readonly #random: Random;

  constructor({ best, median, p99 }: Times, random: Random) {
    const sigma = Math.log(p99 / median) / Z99;
    this.#values = Float64Array.from({ length: VALUES }, (_, at) =>
      Math.max(best, median * Math.exp(sigma * quantile((at + 0.5) / VALUES))),
    );
    this.#random = random;
  }

  next(): number {
    return this.#values[Math.floor(this.#random.next() * VALUES)] ?? 0;
  }
}

/** The standard normal value below which this share lies (Abramowitz and Stegun 26.2.23: right to 0.0005). */
function quantile(share: number): number {
  const tail = Math.min(share, 1 - share);
  const t = Math.sqrt(-2 * Math.log(tail));
  const value =
    t - (2.515517 + 0.802853 * t + 0.010328 * t * t) / (1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t * t * t);
  return share < 0.5 ? -value : value;
}
