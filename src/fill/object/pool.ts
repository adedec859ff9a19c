/**
 * The bound on memory for slices that are being stored. An isolate has 128 MB for all Fills in it together (Workers limits
 * page): they share this budget, granted in order, and the origin waits for it.
 */

/** Bytes of slice buffers in one isolate. */
const POOL_BYTES = 64 * 2 ** 20;

interface Waiting {
  readonly bytes: number;
  readonly owner: string;
  readonly grant: () => void;
}

export class BufferPool {
  readonly #limit: number;
  #used = 0;
  readonly #taken = new Set<{ readonly bytes: number; readonly owner: string }>();
  readonly #waiting: Waiting[] = [];

  /** @param limit bytes */
  constructor(limit = POOL_BYTES) {
    this.#limit = limit;
  }

  /** Bytes that are taken. */
  get used(): number {
    return this.#used;
  }

  /**
   * Waits for room for a buffer. One that is larger than all of the pool waits until it is empty.
   * @param owner whose it is: {@link release}
   * @returns gives it back, once; to be called when the put has really ended, not when somebody stopped waiting for it
   * @throws the signal's reason
   */
  async take(bytes: number, signal: AbortSignal, owner = ""): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#waiting.length > 0 || !this.#fits(bytes)) await this.#wait(bytes, signal, owner);
    else this.#used += bytes;
    const taken = { bytes, owner };
    this.#taken.add(taken);
    return () => {
      this.#giveBack(taken);
      this.#next();
    };
  }

  /** All that an owner has, or waits for, is free: the object is gone, and its puts with it. */
  release(owner: string): void {
    for (let at = this.#waiting.length - 1; at >= 0; at--)
      if (this.#waiting[at]?.owner === owner) this.#waiting.splice(at, 1);
    for (const taken of this.#taken) if (taken.owner === owner) this.#giveBack(taken);
    this.#next();
  }

  #giveBack(taken: { readonly bytes: number; readonly owner: string }): void {
    if (this.#taken.delete(taken)) this.#used -= taken.bytes;
  }

  #fits(bytes: number): boolean {
    return this.#used === 0 || this.#used + bytes <= this.#limit;
  }

  async #wait(bytes: number, signal: AbortSignal, owner: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting: Waiting = {
      bytes,
      owner,
      grant: () => {
        this.#used += bytes;
        resolve();
      },
    };
    const leave = () => {
      const at = this.#waiting.indexOf(waiting);
      if (at === -1) return;
      this.#waiting.splice(at, 1);
      reject(signal.reason);
      // Those behind may fit where this one did not.
      this.#next();
    };
    this.#waiting.push(waiting);
    signal.addEventListener("abort", leave, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  #next(): void {
    for (let first = this.#waiting[0]; first !== undefined && this.#fits(first.bytes); first = this.#waiting[0]) {
      this.#waiting.shift();
      first.grant();
    }
  }
}
