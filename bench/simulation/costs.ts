/** What a storm costs, from what was counted in it. */
import { OBJECT_GB, PRICES } from "./platform.ts";

export interface Counts {
  requests: number;
  /** Calls of the Fill. */
  calls: number;
  /** Rows that it wrote. */
  rows: number;
  classA: number;
  classB: number;
  /** Bytes that clients got. */
  sentBytes: number;
}

/**
 * CPU of a GiB that is sent, ms: what a hit takes here, socket work included (docs/performance.md). On Cloudflare, where the
 * runtime sends it without the isolate, it is less.
 */
const CPU_MS_PER_GIB = 450;
const GIB = 2 ** 30;

/** @param seconds that Fills were at work, added up */
export function dollars({ requests, calls, rows, classA, classB, sentBytes }: Counts, seconds: number): number {
  return (
    requests * PRICES.perRequest +
    (sentBytes / GIB) * CPU_MS_PER_GIB * PRICES.perCpuMs +
    calls * PRICES.perObjectCall +
    seconds * OBJECT_GB * PRICES.perObjectGbSecond +
    rows * PRICES.perRowWritten +
    classA * PRICES.perClassA +
    classB * PRICES.perClassB
  );
}
