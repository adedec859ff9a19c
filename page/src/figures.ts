/** What the charts show, from hours that were counted. Pure. */
import type * as v from "valibot";
import type { Traffic } from "../../src/page/schemas.ts";

export type TrafficHour = v.InferOutput<typeof Traffic>["hours"][number];

export interface Bucket {
  /** When it begins, ms since the epoch. */
  readonly at: number;
  readonly cache: number;
  readonly origin: number;
  /** Downloads whose bytes the origin's link did not carry for them. */
  readonly hits: number;
  /** All that got image data. */
  readonly downloads: number;
  readonly kept: number;
  readonly failed: number;
  /** Of no fault: no room for it, or an operator has stopped it. */
  readonly stopped: number;
}

export type Range = 24 | 720;

const HOUR = 3_600_000;
const DELIVERED = ["hit", "collapsed", "miss", "alone", "forwarded"];

/**
 * Hours of a day, or days (of the browser's zone) of a month, those without traffic included.
 * @param now by the edge's clock, ms
 */
export function bucketed(hours: readonly TrafficHour[], range: Range, now: number): Bucket[] {
  const starts = range === 24 ? lastHours(now) : lastDays(now);
  const first = starts[0] ?? now;
  const found = starts.map(() => [] as TrafficHour[]);
  for (const hour of hours) {
    const index = starts.findLastIndex((start) => start <= hour.hour);
    if (hour.hour >= first) found[index]?.push(hour);
  }
  return starts.map((at, index) => sum(at, found[index] ?? []));
}

export function sum(at: number, hours: readonly TrafficHour[]): Bucket {
  const total = (figure: "downloads" | "bytes" | "fills", ...labels: readonly string[]) =>
    hours.reduce((all, hour) => all + labels.reduce((some, label) => some + (hour[figure][label] ?? 0), 0), 0);
  return {
    at,
    cache: total("bytes", "cache"),
    origin: total("bytes", "origin"),
    hits: total("downloads", "hit", "collapsed"),
    downloads: total("downloads", ...DELIVERED),
    kept: total("fills", "kept"),
    failed: total("fills", "failed", "mismatch"),
    stopped: total("fills", "stopped", "no-room"),
  };
}

/** Bytes that the origin's link would have carried without the edge, and did not. */
export function saved({ cache, origin }: Pick<Bucket, "cache" | "origin">): number {
  return Math.max(0, cache - origin);
}

function lastHours(now: number): number[] {
  const last = Math.floor(now / HOUR) * HOUR;
  return Array.from({ length: 24 }, (_, index) => last - (23 - index) * HOUR);
}

function lastDays(now: number): number[] {
  return Array.from({ length: 30 }, (_, index) => {
    const day = new Date(now);
    day.setHours(0, 0, 0, 0);
    day.setDate(day.getDate() - (29 - index));
    return day.getTime();
  });
}
