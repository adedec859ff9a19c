/**
 * Hits of one isolate, counted in memory and written to the catalog in batches: a hit costs no
 * write on its path, and a thousand of them cost a handful. Pure: no clock, no I/O. src/download/count-hit.ts writes.
 */
import type { Use } from "./catalog.ts";

/** No more than one write of an isolate in so long. */
const INTERVAL_MS = 1_000;
/** A request that was to write and has not by then is gone. */
const PATIENCE_MS = 2_000;
/** How long an image counts as in use at the least after a download of it began. */
const IN_USE_MS = 60_000;
/** The pace of a slow client, bytes a ms: about 1 MB/s. */
const SLOW_PACE = 1_000;

interface Counted {
  hits: number;
  lastAccessed: number;
  inUseUntil: number;
}

export class Usage {
  readonly #counted = new Map<string, Counted>();
  #lastWrite = 0;
  /** When the request that took it on writes; null when nobody has. */
  #planned: number | null = null;

  /**
   * A download of a kept image begins: counted, and the image is in use for as long as a slow client takes for it.
   * @param bytes of the answer
   * @param now ms since the epoch
   */
  hit(imageId: string, bytes: number, now: number): void {
    this.#add(imageId, 1, now, now + Math.max(IN_USE_MS, bytes / SLOW_PACE));
  }

  /**
   * Whether the asking request is the one to write what is counted.
   * @returns ms that it waits before it does; null when another one does it
   */
  planWrite(now: number): number | null {
    if (this.#planned !== null && now < this.#planned + PATIENCE_MS) return null;
    this.#planned = Math.max(now, this.#lastWrite + INTERVAL_MS);
    return this.#planned - now;
  }

  /** What is to be written now. @param now ms since the epoch */
  take(now: number): Use[] {
    this.#planned = null;
    this.#lastWrite = now;
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
