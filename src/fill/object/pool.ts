/**
 * The bound on memory for slices that are being stored. An isolate has 128 MB for all Fills in it together (Workers limits
 * page): they share this budget, granted in order, and the origin waits for it.
 */
import { BUFFER_MS } from "./times.ts";

/** Bytes of slice buffers in one isolate. */
const POOL_BYTES = 64 * 2 ** 20;
/**
 * Puts of one Fill under way at the same time: with 0.5 s a put (docs/scale.md) three are not enough for a line of 200 Mbit/s. The
 * sixth connection that an invocation may wait for (Workers limits page) is the origin's.
 */
export const MAX_PUTS = 5;
/** An owner that was not heard of for so long, ms, is gone: a Fill at work is woken each 5 s. */
const SILENT_MS = 60_000;

/** There was no room for a buffer in time. */
export class NoBuffer extends Error {
  override readonly name = "NoBuffer";
}

interface Buffer {
  readonly bytes: number;
  readonly owner: string;
}

interface Waiting {
  readonly buffer: Buffer;
  readonly granted: () => void;
}

export class BufferPool {
  readonly #limit: number;
  readonly #now: () => number;
  #used = 0;
  readonly #taken = new Set<Buffer>();
  readonly #waiting: Waiting[] = [];
  /** When each owner was last heard of, ms since the epoch. */
  readonly #heard = new Map<string, number>();

  /** @param limit bytes */
  constructor(limit = POOL_BYTES, now: () => number = Date.now) {
    this.#limit = limit;
    this.#now = now;
  }

  /** Bytes that are taken. */
  get used(): number {
    return this.#used;
  }

  /**
   * Waits for room for a buffer. One that is larger than all of the pool waits until it is empty.
   * @param owner whose it is: {@link release}
   * @returns gives it back, once; to be called when the put has really ended, not when somebody stopped waiting for it
   * @throws the signal's reason, NoBuffer
   */
  async take(bytes: number, signal: AbortSignal, owner = ""): Promise<() => void> {
    signal.throwIfAborted();
    this.heard(owner);
    const buffer = { bytes, owner };
    if (this.#waiting.length > 0 || !this.#fits(bytes)) await this.#wait(buffer, signal);
    else this.#grant(buffer);
    return () => {
      this.#giveBack(buffer);
      this.#next();
    };
  }

  /** An owner is alive. What those have who are silent is free: their objects went without a word, and never came back here. */
  heard(owner: string): void {
    const now = this.#now();
    this.#heard.set(owner, now);
    for (const [name, at] of this.#heard) if (now - at >= SILENT_MS) this.#heard.delete(name);
    for (const buffer of this.#taken) if (!this.#heard.has(buffer.owner)) this.#giveBack(buffer);
    this.#next();
  }

  /** All that an owner has, or waits for, is free: the object is gone, and its puts with it. */
  release(owner: string): void {
    for (let at = this.#waiting.length - 1; at >= 0; at--)
      if (this.#waiting[at]?.buffer.owner === owner) this.#waiting.splice(at, 1);
    for (const buffer of this.#taken) if (buffer.owner === owner) this.#giveBack(buffer);
    this.#next();
  }

  /** Here, and not when its taker goes on: one that is gone never does. */
  #grant(buffer: Buffer): void {
    this.#used += buffer.bytes;
    this.#taken.add(buffer);
  }

  #giveBack(buffer: Buffer): void {
    if (this.#taken.delete(buffer)) this.#used -= buffer.bytes;
  }

  #fits(bytes: number): boolean {
    return this.#used === 0 || this.#used + bytes <= this.#limit;
  }

  async #wait(buffer: Buffer, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting: Waiting = { buffer, granted: resolve };
    const leave = (why: unknown) => {
      const at = this.#waiting.indexOf(waiting);
      if (at === -1) return;
      this.#waiting.splice(at, 1);
      reject(why);
      // Those behind may fit where this one did not.
      this.#next();
    };
    const stopped = () => leave(signal.reason);
    const timer = setTimeout(() => leave(new NoBuffer("no memory for a slice in time")), BUFFER_MS);
    this.#waiting.push(waiting);
    signal.addEventListener("abort", stopped, { once: true });
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", stopped);
    }
  }

  #next(): void {
    for (
      let first = this.#waiting[0];
      first !== undefined && this.#fits(first.buffer.bytes);
      first = this.#waiting[0]
    ) {
      this.#waiting.shift();
      this.#grant(first.buffer);
      first.granted();
    }
  }
}
