/** The clock of a simulation: it stands at the moment of the event that is being done, and jumps to the next one. */

interface Due {
  readonly at: number;
  /** Of two at the same moment the one that was asked for first. */
  readonly order: number;
  readonly run: () => void;
}

export class Clock {
  /** ms since the simulation began, and a fraction. */
  now = 0;
  #order = 0;
  /** A binary heap: the next one first. */
  readonly #due: Due[] = [];
  /** Somebody who awaits has been woken. */
  #woken = false;

  /** Has something done at this time, or now, if that has gone by. */
  at(time: number, run: () => void): void {
    const due: Due = { at: Math.max(time, this.now), order: this.#order++, run };
    let place = this.#due.push(due) - 1;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = this.#due[above];
      if (parent === undefined || isBefore(parent, due)) break;
      this.#due[place] = parent;
      place = above;
    }
    this.#due[place] = due;
  }

  /** Resolves at this time. */
  until(time: number): Promise<void> {
    return new Promise((resolve) => {
      this.at(time, () => {
        this.#woken = true;
        resolve();
      });
    });
  }

  /** To be called by who resolves a promise that part of the simulation awaits. */
  wake(): void {
    this.#woken = true;
  }

  /** Does all that is due, and all that follows from it. */
  async run(): Promise<void> {
    // What was begun before may await still.
    await settled();
    for (let next = this.#take(); next !== undefined; next = this.#take()) {
      this.now = next.at;
      next.run();
      if (!this.#woken) continue;
      this.#woken = false;
      await settled();
    }
  }

  #take(): Due | undefined {
    const first = this.#due[0];
    const last = this.#due.pop();
    if (first === undefined || last === undefined || this.#due.length === 0) return first;
    let place = 0;
    for (;;) {
      const left = 2 * place + 1;
      const [one, other] = [this.#due[left], this.#due[left + 1]];
      if (one === undefined) break;
      const right = other !== undefined && isBefore(other, one);
      const child = right ? other : one;
      if (isBefore(last, child)) break;
      this.#due[place] = child;
      place = right ? left + 1 : left;
    }
    this.#due[place] = last;
    return first;
  }
}

function isBefore(one: Due, other: Due): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}

/** Whoever awaited something that is done by now has gone on. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
