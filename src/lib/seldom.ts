/** What happens with every request is worth a line now and then: an isolate's log is no place for thousands of the same. */

export class Seldom {
  /** ms since the epoch, by what was told. A handful of names. */
  readonly #told = new Map<string, number>();

  /** Whether this is to be told now: not if it was less than `everyMs` ago. */
  isDue(what: string, everyMs: number, now: number): boolean {
    const last = this.#told.get(what);
    if (last !== undefined && now - last < everyMs) return false;
    this.#told.set(what, now);
    return true;
  }
}
