/** Speeds, and what they promise. Pure. */
import { type Finding, no, unknown, yes } from "./finding.ts";
import { sayBytes } from "./units.ts";

/** What a transfer of fewer bytes measures is its beginning. */
const MEASURABLE = 16 * 2 ** 20;

export interface Measured {
  readonly bytes: number;
  readonly ms: number;
}

/** @param glance null: its own address is not known */
export function hitsAreFaster(hit: Measured, glance: Measured | null): Finding {
  const what = "a hit is faster than Glance itself, from here";
  if (glance === null) {
    return unknown(what, `the edge ${speed(hit)}`, "Give --glance URL to compare with.");
  }
  const seen = `the edge ${speed(hit)}, Glance ${speed(glance)}`;
  if (hit.bytes < MEASURABLE) return unknown(what, seen, `Give --image of one above ${sayBytes(MEASURABLE)}.`);
  if (rate(hit) >= rate(glance)) return yes(what, seen);
  return no(
    what,
    seen,
    "Ask from where the machines are. If it is so there as well, one download alone gains nothing; many at a time may, where the origin's line is the narrow one.",
  );
}

/** Bandwidths, Mbit/s; null: not given. */
export function linesDiffer(originMbit: number | null, siteMbit: number | null): Finding {
  const what = "the origin's line is the narrow one";
  if (originMbit === null || siteMbit === null) {
    return unknown(
      what,
      "bandwidths not given",
      "Give --origin-mbit and --site-mbit: the edge saves the origin's line, not the site's.",
    );
  }
  const seen = `origin ${originMbit} Mbit/s, site ${siteMbit} Mbit/s`;
  if (originMbit < siteMbit) return yes(what, seen);
  return no(
    what,
    seen,
    "Each machine's download still takes the site's line: put a relay at the site, which takes each image over it once.",
  );
}

function rate({ bytes, ms }: Measured): number {
  return bytes / Math.max(ms, 1);
}

function speed(measured: Measured): string {
  return `${(rate(measured) / 1000).toFixed(1)} MB/s`;
}
