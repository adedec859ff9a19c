/** What a costly look has found, good for a while: many ask, one of them looks, so that asking costs what is looked at nothing. */

/** A look that takes longer is given up by those who wait for it. */
const LOOK_MS = 15_000;
const POLL_MS = 50;

export class Recent<T> {
  #found: { readonly value: T; readonly at: number } | null = null;
  /** Until when somebody looks, ms since the epoch. */
  #busyUntil = 0;

  /**
   * @param look never rejects
   * @param now ms since the epoch
   */
  async get(ttlMs: number, now: () => number, look: () => Promise<T>): Promise<T> {
    for (;;) {
      const found = this.#found;
      if (found !== null && Math.abs(now() - found.at) < ttlMs) return found.value;
      if (now() >= this.#busyUntil) break;
      // In Workers no request may wait for another one's promise: only for what it leaves in memory.
      await scheduler.wait(POLL_MS);
    }
    this.#busyUntil = now() + LOOK_MS;
    const value = await look();
    this.#found = { value, at: now() };
    this.#busyUntil = 0;
    return value;
  }
}
