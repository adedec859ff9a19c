/**
 * The kinds of faults: how each is made from random numbers, and what it may cost. What a kind does not say it may cost counts as
 * a failure of the run, so each of these words has its reason in docs/fills.md or docs/architecture.md.
 */

import type { Random } from "../../bench/random.ts";
import type { Called, Harm, Injection, Tampering } from "./injection.ts";

/** What is done at its time, ms since the run began. */
type Act =
  /** The demo origin's own faults of an image, until then. */
  | { readonly do: "origin"; readonly until: number; readonly faults: Readonly<Record<string, unknown>> }
  /** The origin's line is cut, until then. */
  | { readonly do: "line"; readonly until: number }
  | { readonly do: "call"; readonly injection: Injection }
  | { readonly do: "tamper"; readonly tampering: Tampering }
  | { readonly do: "reset" }
  | { readonly do: "kill" }
  | { readonly do: "jump"; readonly ms: number }
  | { readonly do: "d1-away"; readonly until: number }
  | { readonly do: "d1-emptied" }
  | { readonly do: "clean" };

export interface Fault {
  readonly name: KindName;
  readonly image: number;
  readonly at: number;
  readonly act: Act;
}

interface Kind {
  /** `"edge"`: it happens to all of an edge, so its run has one of its own. */
  readonly scope: "image" | "edge";
  /** Whether a client that does not come again may be cut or refused for it. */
  readonly shows: boolean;
  /** Further images that it may cost the origin; `"each"`: one for each time that a client asks. */
  readonly costs: number | "each";
  /** How much longer it may keep a client waiting, ms. */
  readonly waits: number;
  /** The data that the origin gives are not the image for a while. */
  readonly wrongData?: true;
  /** D1 may not have been told what is kept: the clean finds it. */
  readonly unindexed?: true;
  /** What was stored is not what the Fill has put: to the Fill it may look like wrong data. */
  readonly tampers?: true;
  /** Alarms of Fills are lost. */
  readonly clockless?: true;
  /** Readers of a fill can't tell it from what the Fill has put. It is never kept. */
  readonly unseen?: true;
  readonly make: (random: Random, size: number) => { readonly at: number; readonly act: Act };
}

/** A moment while most fills run. */
const soon = (random: Random) => random.small(0, 900);
const later = (random: Random) => random.whole(0, 2_000);
/** Long enough to end more than one try of a fill. */
const lasting = (random: Random, at: number) => at + random.small(50, 1_500);

function origin(
  shows: boolean,
  costs: Kind["costs"],
  faults: (random: Random, size: number) => Record<string, unknown>,
): Kind {
  return {
    scope: "image",
    shows,
    costs,
    waits: 4_000,
    make: (random, size) => {
      const at = random.chance(0.5) ? 0 : soon(random);
      return { at, act: { do: "origin", until: lasting(random, at), faults: faults(random, size) } };
    },
  };
}

interface CallOptions {
  readonly by?: Injection["by"];
  readonly root?: Injection["root"];
  readonly nth?: number;
  readonly times?: number;
  readonly ms?: number;
}

function call(on: Called, how: Harm, costs: Kind["costs"], shows: boolean, options: CallOptions = {}): Kind {
  const { by = "any", root, nth = 12, times = 1, ms = 0 } = options;
  return {
    scope: "image",
    shows,
    costs,
    waits: 2_000 + 2 * ms,
    make: (random) => {
      const injection = { on, by, nth: random.small(1, nth), times: random.whole(1, times), how, ms };
      return { at: 0, act: { do: "call", injection: root === undefined ? injection : { ...injection, root } } };
    },
  };
}

function tamper(what: Tampering["what"], how: Tampering["how"]): Kind {
  const make: Kind["make"] = (random) => ({ at: later(random), act: { do: "tamper", tampering: { what, how } } });
  // Who comes while it is told that a slice was lost goes alone (docs/fills.md, "What a reader is told").
  const costs = { index: 0, images: 2, parts: 2, fills: "each" } as const;
  return { scope: "image", shows: what !== "index", costs: costs[what], waits: 4_000, tampers: true, make };
}

function wrong(kind: Kind): Kind {
  return { ...kind, wrongData: true };
}

function unindexed(kind: Kind): Kind {
  return { ...kind, unindexed: true };
}

/** Past every deadline of the edge's. */
const HANG_MS = 6_500;
const DAY_MS = 86_400_000;

export const KINDS = {
  "origin: data refused with 5xx": origin(true, "each", (random) => ({ status: random.one([500, 502, 503, 504]) })),
  "origin: record refused with 5xx": origin(true, "each", (random) => ({
    recordStatus: random.one([500, 502, 503, 504]),
  })),
  "origin: cut once or twice": origin(false, 2, (random, size) => ({
    cutAt: random.whole(0, size),
    cutTimes: random.whole(1, 2),
    cutStep: random.whole(0, size),
  })),
  "origin: cut again and again": origin(true, "each", (random, size) => ({ cutAt: random.whole(0, size) })),
  "origin: wrong byte": wrong(origin(true, "each", (random, size) => ({ corruptAt: random.whole(0, size - 1) }))),
  "origin: short": wrong(
    origin(true, "each", (random, size) => ({ shortBy: random.whole(1, size), chunked: random.chance(0.5) })),
  ),
  "origin: long": wrong(
    origin(true, "each", (random) => ({ longBy: random.small(1, 200_000), chunked: random.chance(0.5) })),
  ),
  "origin: stalls": {
    ...origin(true, "each", (random, size) => ({ stallAt: random.whole(0, size - 1) })),
    waits: 12_000,
  },
  "origin: ignores Range": origin(false, 2, () => ({ ignoreRange: true })),
  "origin: data encoded": origin(true, "each", () => ({ contentEncoding: "gzip" })),
  "origin: slow first byte": origin(false, 0, (random) => ({ delayMs: random.whole(50, 2_500) })),
  "R2: slice not put, once": call("r2.put", "fails", 0, false, { root: "fills/", nth: 16 }),
  "R2: slices not put": call("r2.put", "fails", "each", true, { root: "fills/", nth: 16, times: 12 }),
  "R2: slice put, answer lost": call("r2.put", "answer-lost", 0, false, { root: "fills/", nth: 16, times: 3 }),
  "R2: slice's put hangs": call("r2.put", "hangs", 2, true, { root: "fills/", nth: 16, ms: HANG_MS }),
  "R2: slow puts of slices": call("r2.put", "slow", 0, false, { root: "fills/", nth: 10, times: 6, ms: 300 }),
  "R2: object not put": call("r2.put", "fails", 1, false, { root: "images/", nth: 1, times: 5 }),
  "R2: object put, answer lost": call("r2.put", "answer-lost", 0, false, { root: "images/", nth: 1, times: 2 }),
  "R2: object's put hangs": call("r2.put", "hangs", 1, false, { root: "images/", nth: 1, ms: HANG_MS }),
  "R2: part not put": call("r2.put", "fails", 0, false, { root: "parts/", nth: 3, times: 3 }),
  "R2: part put, answer lost": call("r2.put", "answer-lost", 0, false, { root: "parts/", nth: 3 }),
  "R2: get fails, once": call("r2.get", "fails", 0, false, { nth: 20 }),
  "R2: gets fail": call("r2.get", "fails", "each", true, { nth: 20, times: 30 }),
  "R2: get hangs": call("r2.get", "hangs", "each", true, { nth: 20, ms: HANG_MS }),
  "R2: slow gets": call("r2.get", "slow", 0, false, { nth: 10, times: 10, ms: 200 }),
  "R2: body breaks off": call("r2.get", "breaks", "each", true, { nth: 20, times: 2 }),
  "R2: head fails, once": call("r2.head", "fails", 0, false, { nth: 4 }),
  "R2: heads fail": call("r2.head", "fails", "each", true, { nth: 4, times: 6 }),
  "R2: head hangs": call("r2.head", "hangs", "each", true, { nth: 4, ms: HANG_MS }),
  "R2: deletes fail": call("r2.delete", "fails", 0, false, { nth: 2, times: 6 }),
  "R2: delete done, answer lost": call("r2.delete", "answer-lost", 0, false, { nth: 2, times: 3 }),
  "R2: lists fail": call("r2.list", "fails", 0, false, { nth: 3, times: 4 }),
  "R2: object lost": tamper("images", "lost"),
  "R2: object shortened": tamper("images", "short"),
  "R2: object foreign": tamper("images", "foreign"),
  "R2: slice lost": tamper("fills", "lost"),
  "R2: slice shortened": tamper("fills", "short"),
  // Slices have no digest of their own; who may write to the bucket could as well replace the Worker (docs/reliability.md).
  "R2: slice foreign": { ...tamper("fills", "foreign"), unseen: true },
  "R2: part lost": tamper("parts", "lost"),
  "R2: part shortened": tamper("parts", "short"),
  "R2: part foreign": tamper("parts", "foreign"),
  "D1: fails": unindexed(call("d1", "fails", 0, false, { nth: 8, times: 8 })),
  "D1: done, answer lost": unindexed(call("d1", "answer-lost", 0, false, { nth: 8, times: 4 })),
  "D1: slow": call("d1", "slow", 0, false, { nth: 4, times: 6, ms: 700 }),
  "D1: hangs": unindexed(call("d1", "hangs", 0, false, { nth: 4, times: 2, ms: HANG_MS })),
  "D1: rows lost": unindexed(tamper("index", "lost")),
  "Fill: call fails": call("fill", "fails", "each", false, { nth: 12, times: 4 }),
  "Fill: call done, answer lost": call("fill", "answer-lost", "each", false, { nth: 12, times: 4 }),
  "Fill: call hangs": call("fill", "hangs", "each", false, { nth: 12, ms: HANG_MS }),
  "Fill: reset before a call": unindexed(call("any", "reset-before", 1, false, { by: "fill", nth: 150 })),
  "Fill: reset behind a call": unindexed(call("any", "reset-after", 1, false, { by: "fill", nth: 150 })),
  "Fill: reset thrice": unindexed(call("any", "reset-after", 3, true, { by: "fill", nth: 80, times: 3 })),
  "Fill: reset or evicted at a moment": {
    scope: "image",
    unindexed: true,
    shows: false,
    costs: 1,
    waits: 3_000,
    make: (random) => ({ at: later(random), act: { do: "reset" } }),
  },
  "a clean meanwhile": {
    scope: "image",
    shows: false,
    costs: 0,
    waits: 0,
    make: (random) => ({ at: later(random), act: { do: "clean" } }),
  },
  "origin: line down": {
    // Connections are shared by all that an edge asks.
    scope: "edge",
    shows: true,
    costs: "each",
    waits: 4_000,
    make: (random) => {
      const at = soon(random);
      return { at, act: { do: "line", until: lasting(random, at) } };
    },
  },
  "edge: killed and started": {
    scope: "edge",
    clockless: true,
    unindexed: true,
    shows: true,
    costs: 2,
    waits: 10_000,
    make: (random) => ({ at: later(random), act: { do: "kill" } }),
  },
  "edge: clock jumps a day": {
    scope: "edge",
    shows: true,
    costs: 2,
    waits: 4_000,
    make: (random) => ({ at: later(random), act: { do: "jump", ms: DAY_MS } }),
  },
  "D1: away": {
    scope: "edge",
    unindexed: true,
    shows: false,
    costs: 0,
    waits: 2_000,
    make: (random) => {
      const at = soon(random);
      return { at, act: { do: "d1-away", until: at + random.whole(200, 4_000) } };
    },
  },
  "D1: emptied": {
    scope: "edge",
    unindexed: true,
    shows: false,
    costs: 0,
    waits: 0,
    make: (random) => ({ at: later(random), act: { do: "d1-emptied" } }),
  },
} as const satisfies Record<string, Kind>;

export type KindName = keyof typeof KINDS;

export function kindOf(name: KindName): Kind {
  return KINDS[name];
}

/** Whether an image's data may be held for wrong because of it. */
export function isWrongData(name: KindName): boolean {
  const { wrongData, tampers } = kindOf(name);
  return wrongData === true || tampers === true;
}

export function makeFault(random: Random, name: KindName, image: number, size: number): Fault {
  return { name, image, ...KINDS[name].make(random, size) };
}
