/** What something takes of all that is billed, and what that costs. Pure. */
import { INCLUDED, PRICES } from "./prices.ts";

export type Use = Readonly<Record<keyof typeof PRICES, number>>;

/** As it was counted in a run. */
export interface Counted {
  /** Nobody else downloads: all that is written behind it is its own. */
  readonly hit: Use;
  /** One of many, which share what is written behind them. */
  readonly hitOfMany: Use;
  readonly range: Use;
  /** For each GiB: a fill and the download that began it; each further one that follows it. */
  readonly fillGib: Use;
  readonly followerGib: Use;
  /** All crons of an hour, while nobody downloads; without the scrub. */
  readonly idleHour: Use;
  /** CPU ms to send a GiB of what is kept. */
  readonly sentCpuMsGib: number;
}

const NAMES = Object.keys(PRICES) as (keyof Use)[];

function combine(value: (name: keyof Use) => number): Use {
  return Object.fromEntries(NAMES.map((name) => [name, value(name)])) as Use;
}

export function add(a: Use, b: Use, times = 1): Use {
  return combine((name) => a[name] + b[name] * times);
}

export function scale(use: Use, by: number): Use {
  return combine((name) => use[name] * by);
}

/** A hit of so many GiB, one of many. */
export function hitOf({ hitOfMany, sentCpuMsGib }: Counted, gib: number): Use {
  return { ...hitOfMany, cpuMs: hitOfMany.cpuMs + sentCpuMsGib * gib };
}

/** A storm on an image of so many GiB that is not kept. */
export function stormOf({ fillGib, followerGib }: Counted, gib: number, machines: number): Use {
  return add(scale(fillGib, gib), followerGib, gib * (machines - 1));
}

/** US dollars at list prices, as if nothing were included. */
export function dollars(use: Use): number {
  return NAMES.reduce((sum, name) => sum + use[name] * PRICES[name], 0);
}

/** US dollars beyond what a month includes. */
export function dollarsBeyond(use: Use): number {
  return dollars(combine((name) => Math.max(0, use[name] - INCLUDED[name])));
}
