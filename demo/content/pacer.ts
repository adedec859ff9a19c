/**
 * A line of limited speed. Senders book their pieces one after the other on one clock, so the sum is exact whatever the
 * timers do: a timer that fires late shortens the next wait.
 */

/** A line in use that carried nothing for longer than this has lost the time; a shorter gap is a late timer and is made up. */
const MAX_LAG_MS = 250;

/** Pieces of a slow line: short enough to be smooth, long enough for Node's timers of 1 ms. */
const SLOW = { ms: 10, bytes: 64 * 1024 };
/** On a fast line the cost of each write counts. */
const FAST = { ms: 2, bytes: 256 * 1024 };

export class Pacer {
  /** Bytes per second; null: unlimited. May be changed while pieces wait. */
  rate: number | null;
  /** When the last piece booked has left the line, ms of performance.now(). */
  #freeAt = Number.NEGATIVE_INFINITY;
  #senders = 0;

  constructor(rate: number | null) {
    this.rate = rate;
  }

  /** The largest piece to book at once. */
  get pieceBytes(): number {
    if (this.rate === null) return Number.POSITIVE_INFINITY;
    const perMs = this.rate / 1000;
    const bytes = Math.max(Math.min(perMs * SLOW.ms, SLOW.bytes), Math.min(perMs * FAST.ms, FAST.bytes));
    return Math.max(1, Math.floor(bytes));
  }

  /** A download begins: a line that nobody used has no time to make up. */
  join(): void {
    if (this.#senders === 0) this.#freeAt = Math.max(this.#freeAt, performance.now());
    this.#senders++;
  }

  leave(): void {
    this.#senders--;
  }

  /** Books a piece. @returns ms to wait until it has passed the line */
  book(bytes: number): number {
    if (this.rate === null) return 0;
    const now = performance.now();
    if (now - this.#freeAt > MAX_LAG_MS) this.#freeAt = now;
    this.#freeAt += (bytes / this.rate) * 1000;
    return this.#freeAt - now;
  }
}
