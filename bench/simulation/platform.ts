/**
 * What a simulation assumes of the platform, and where each figure is from. Where only the best and the worst hundredth of a
 * latency are published, the middle is their geometric mean: as far from the one as from the other.
 */
import type { Times } from "./drawn.ts";

export interface Platform {
  readonly name: string;
  /** R2: until a get's body begins; until a put of a slice has ended. ms */
  readonly get: Times;
  readonly put: Times;
  /** A call of a Durable Object: there and back, ms; and what it takes of the object's one thread, ms. */
  readonly hopMs: number;
  readonly callMs: number;
  /** A caller gives a call up after so long beyond what it may wait, ms (CALL_MS in src/fill/client.ts). */
  readonly patienceMs: number;
  /** What a MiB takes of the Fill's thread: gate, digest and cutting into slices, ms. */
  readonly pullMsPerMib: number;
  /** Null: readers are in isolates of their own, and their bytes are piped natively. */
  readonly oneThread: OneThread | null;
}

/** A simulator whose one thread does all of it: ms of that thread. */
interface OneThread {
  readonly putMsPerMib: number;
  /** A reader's get, and a MiB of its body until it has left. */
  readonly getMs: number;
  readonly sendMsPerMib: number;
}

const SPREAD = 5.2;

/**
 * R2 get: 44 ms at best, 1.2 s for the worst hundredth (github.com/koala73/worldmonitor/issues/5338, from 19 regions).
 * R2 put: 0.5 s for 5 MB near the bucket or with Local Uploads, 2 s from another continent without
 * (blog.cloudflare.com/r2-local-uploads, 2026-02), spread as gets are.
 * Durable Object: 1,000 calls a second at most (its limits page), so 1 ms each.
 * Pull: 2.1 CPU seconds per GiB (docs/performance.md, "store for free": SHA-512 through the gate).
 */
export const CLOUDFLARE: Platform = {
  name: "R2 as published",
  get: { best: 44, median: 230, p99: 1_200 },
  put: { best: 500 / SPREAD, median: 500, p99: 500 * SPREAD },
  hopMs: 10,
  callMs: 1,
  patienceMs: 5_000,
  pullMsPerMib: 2.1,
  oneThread: null,
};

/** Each get as slow as the worst hundredth, each put as from another continent. */
export const SLOW_R2: Platform = {
  ...CLOUDFLARE,
  name: "R2 at its worst",
  get: { best: 1_200, median: 1_200, p99: 1_300 },
  put: { best: 2_000, median: 2_000, p99: 2_200 },
};

/**
 * The local simulator, whose one thread is also the Fill's and the readers', for the comparison with what was measured. A put takes
 * 9.5 CPU seconds per GiB (docs/performance.md); the pull's and the readers' part are fitted to storms of 1, 16 and 64.
 */
export const LOCAL: Platform = {
  name: "local simulator",
  get: { best: 1, median: 2, p99: 10 },
  put: { best: 1, median: 2, p99: 10 },
  hopMs: 1,
  callMs: 0.3,
  patienceMs: 5_000,
  pullMsPerMib: 4.2,
  oneThread: { putMsPerMib: 9.3, getMs: 0.4, sendMsPerMib: 0.77 },
};

/** Dollars, of the Workers Paid plan beyond what it includes (developers.cloudflare.com, pricing pages, read 2026-11). */
export const PRICES = {
  perRequest: 0.3e-6,
  perCpuMs: 0.02e-6,
  perObjectCall: 0.15e-6,
  perObjectGbSecond: 12.5e-6,
  perRowWritten: 1e-6,
  perClassA: 4.5e-6,
  perClassB: 0.36e-6,
} as const;

/** Of an object's memory, for which its time is billed (Durable Objects, pricing page). */
export const OBJECT_GB = 0.128;
