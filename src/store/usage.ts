/** Hits of one isolate, counted in memory until they are written to the catalog. Pure: no clock, no I/O. */
import type { Use } from "./catalog.ts";
import { type Counted, WriteTurns } from "./write-behind.ts";

/** No more than one write of an isolate in so long. */
const INTERVAL_MS = 1_000;
/** How long an image counts as in use at the least after a download of it began. */
const IN_USE_MS = 60_000;
/** The pace of a slow client, bytes a ms: about 1 MB/s. */
const SLOW_PACE = 1_000;

interface Hits {
  hits: number;
  lastAccessed: number;
  inUseUntil: number;
}

export class Usage implements Counted<Use> {
  readonly #counted = new Map<string, Hits>();
  readonly #turns = new WriteTurns(INTERVAL_MS);

  /**
   * A download of a kept image begins: counted, and the image is in use for as long as a slow client takes for it.
   * @param bytes of the answer
   * @param now ms since the epoch
   */
  hit(imageId: string, bytes: number, now: number): void {
    this.#add(imageId, 1, now, now + Math.max(IN_USE_MS, bytes / SLOW_PACE));
  }

  planWrite(now: number): number | null {
    return this.#turns.plan(now);
  }

  /** What is to be written now. @param now ms since the epoch */
  take(now: number): Use[] {
    this.#turns.begin(now);
    const uses = Array.from(this.#counted, ([imageId, counted]) => ({ imageId, ...counted }));
    this.#counted.clear();
    return uses;
  }

  /** It could not be written: the next write has it. */
  giveBack(uses: readonly Use[]): void {
    for (const { imageId, hits, lastAccessed, inUseUntil } of uses) this.#add(imageId, hits, lastAccessed, inUseUntil);
  }

  #add(imageId: string, hits: number, lastAccessed: number, inUseUntil: number): void {
    const counted = this.#counted.get(imageId);
    if (counted === undefined) {
      this.#counted.set(imageId, { hits, lastAccessed, inUseUntil });
      return;
    }
    counted.hits += hits;
    counted.lastAccessed = Math.max(counted.lastAccessed, lastAccessed);
    counted.inUseUntil = Math.max(counted.inUseUntil, inUseUntil);
  }
}
