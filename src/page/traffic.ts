/** What went through the edge, hour by hour, for the page's charts. */
import type * as v from "valibot";
import type { Edge } from "../context.ts";
import { hourOf } from "../store/tally.ts";
import type { Traffic } from "./schemas.ts";

type Answer = v.InferOutput<typeof Traffic>;
type Hour = Answer["hours"][number];

const HOUR_MS = 3_600_000;
const SHOWN = ["downloads", "bytes", "fills"] as const;

/** @param count of hours, this one included */
export async function readTraffic({ traffic, now }: Edge, count: number): Promise<Answer> {
  const last = hourOf(now());
  const hours = new Map<number, Hour>();
  for (const { hour, figure, label, value } of await traffic.hours(last - count + 1, last)) {
    const shown = SHOWN.find((name) => name === figure);
    if (shown === undefined) continue;
    const counted = hours.get(hour) ?? { hour: hour * HOUR_MS, downloads: {}, bytes: {}, fills: {} };
    counted[shown][label] = value;
    hours.set(hour, counted);
  }
  return { hours: [...hours.values()] };
}
