/**
 * Hits and running downloads of one isolate, counted in memory and written to the catalog in batches: a hit costs no
 * write on its path, and a thousand of them cost a handful. Pure: no clock, no I/O. ./count-use.ts writes.
 */
import type { Use } from "../store/catalog.ts";

/** No more than one write of an isolate in so long. */
const INTERVAL_MS = 1_000;
/** A request that was to write and has not by then is gone. */
const PATIENCE_MS = 2_000;
/** How long an image counts as in use after the last word of a running download, which speaks more often. */
const IN_USE_MS = 60_000;

interface Counted {
  hits: number;
  lastAccessed: number;
}

export class Usage {
  readonly #counted = new Map<string, Counted>();
  #lastWrite = 0;
  /** When the request that took it on writes; null when nobody has. */
  #planned: number | null = null;

  /** A download of a stored image begins. @param now ms since the epoch */
  hit(imageId: string, now: number): void {
    this.#add(imageId, 1, now);
  }

  /** A download of it still runs. @param now ms since the epoch */
  stillInUse(imageId: string, now: number): void {
    this.#add(imageId, 0, now);
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
    const uses = Array.from(this.#counted, ([imageId, { hits, lastAccessed }]) => {
      return { imageId, hits, lastAccessed, inUseUntil: lastAccessed + IN_USE_MS };
    });
    this.#counted.clear();
    return uses;
  }

  /** It could not be written: the next write has it. */
  giveBack(uses: readonly Use[]): void {
    for (const { imageId, hits, lastAccessed } of uses) this.#add(imageId, hits, lastAccessed);
  }

  #add(imageId: string, hits: number, now: number): void {
    const counted = this.#counted.get(imageId);
    if (counted === undefined) {
      this.#counted.set(imageId, { hits, lastAccessed: now });
      return;
    }
    counted.hits += hits;
    counted.lastAccessed = Math.max(counted.lastAccessed, now);
  }
}
