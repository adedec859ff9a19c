/**
 * Those who wait at a Fill, in its memory only. Answers to one reader are spaced, so that 500 readers of a fast fill
 * ask one object about 1,000 times a second at most, whatever the number of slices.
 */

/** Between two answers "read on" to the same reader, ms. */
const CALM_MS = 500;
/** A reader that asked within this time counts as one who depends on the fill, even while it reads from R2. */
const AROUND_MS = 10_000;

interface Visitor {
  seen: number;
  calmUntil: number;
  left: boolean;
}

export interface Seat {
  readonly calmUntil: number;
  /** The reader has left meanwhile. */
  readonly left: boolean;
  /** Notes that the reader was answered at `now`, ms since the epoch. */
  answered(now: number): void;
  leave(): void;
}

export class Waiters {
  readonly #visitors = new Map<string, Visitor>();
  #change = Promise.withResolvers<void>();

  /** A reader sits down to wait. */
  sit(reader: string): Seat {
    const visitor = this.#visitors.get(reader) ?? { seen: 0, calmUntil: 0, left: false };
    this.#visitors.set(reader, visitor);
    // While it sits here it is around, however long that takes.
    visitor.seen = Number.POSITIVE_INFINITY;
    return {
      get calmUntil() {
        return visitor.calmUntil;
      },
      get left() {
        return visitor.left;
      },
      answered: (now) => {
        visitor.calmUntil = now + CALM_MS;
      },
      leave: () => {
        visitor.seen = Date.now();
      },
    };
  }

  /** The reader is gone. */
  forget(reader: string): void {
    const visitor = this.#visitors.get(reader);
    if (visitor === undefined) return;
    visitor.left = true;
    this.#visitors.delete(reader);
    this.wake();
  }

  /** How many readers other than this one depend on the fill. */
  others(reader: string, now: number): number {
    let count = 0;
    for (const [name, visitor] of this.#visitors) {
      if (now - visitor.seen > AROUND_MS) this.#visitors.delete(name);
      else if (name !== reader) count++;
    }
    return count;
  }

  /** Lets all who wait look again. */
  wake(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers<void>();
  }

  /** Waits for the next {@link wake}, or so many ms. */
  async change(ms: number): Promise<void> {
    await Promise.race([this.#change.promise, scheduler.wait(Math.max(1, ms))]);
  }
}
