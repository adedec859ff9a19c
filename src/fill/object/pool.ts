/**
 * The bound on memory for slices that are being stored. An isolate has 128 MB for all Fills in it together (Workers limits
 * page): they share this budget, granted in order, and the origin waits for it.
 */

/** Bytes of slice buffers in one isolate. */
const POOL_BYTES = 64 * 2 ** 20;

interface Waiting {
  readonly bytes: number;
  readonly grant: () => void;
}

export class BufferPool {
  readonly #limit: number;
  #used = 0;
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
   * @returns gives it back, once; to be called when the put has really ended, not when somebody stopped waiting for it
   * @throws the signal's reason
   */
  async take(bytes: number, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#waiting.length > 0 || !this.#fits(bytes)) await this.#wait(bytes, signal);
    else this.#used += bytes;
    let given = false;
    return () => {
      if (given) return;
      given = true;
      this.#used -= bytes;
      this.#next();
    };
  }

  #fits(bytes: number): boolean {
    return this.#used === 0 || this.#used + bytes <= this.#limit;
  }

  async #wait(bytes: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting: Waiting = {
      bytes,
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
