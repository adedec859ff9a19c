/** Who follows a fill, and who waits for its next step. In memory only: a reader whose call was lost asks again. */
import { nextTurn, spacing } from "./turns.ts";

/** A reader that has not asked for so long is gone, ms: it asks at least each 10 s, and as the spacing says. */
const GONE_MS = 30_000;

export class Readers {
  /** Name and when it last asked, ms since the epoch; the longest silent first. */
  readonly #seen = new Map<string, number>();
  readonly #waiting = new Set<() => void>();
  /** The turn that was given out last, ms since the epoch. */
  #lastTurn = 0;

  /** @param now ms since the epoch */
  saw(reader: string, now: number): void {
    this.#seen.delete(reader);
    this.#seen.set(reader, now);
  }

  /** How long a reader that is answered now waits before it asks again, ms. @param now ms since the epoch */
  turn(now: number): number {
    this.#lastTurn = nextTurn(this.#lastTurn, now);
    return this.#lastTurn - now;
  }

  left(reader: string): void {
    this.#seen.delete(reader);
  }

  /** Number of readers. @param now ms since the epoch */
  count(now: number): number {
    // All that are gone stand in front.
    for (const [reader, at] of this.#seen) {
      if (now - at < GONE_MS + spacing(this.#seen.size)) break;
      this.#seen.delete(reader);
    }
    return this.#seen.size;
  }

  /** Waits for the next step of the fill, at most `ms`. */
  async wait(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    const timer = setTimeout(resolve, ms);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(resolve);
    }
  }

  wake(): void {
    for (const wake of this.#waiting) wake();
  }
}
