/** What many share: a thread that does one job after the other, and a line that carries so many bytes a second. */
import type { Clock } from "./clock.ts";

export class Thread {
  readonly #clock: Clock;
  #freeAt = 0;
  /** ms that it was at work. */
  busyMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes a job in. @returns when it is done */
  job(ms: number): number {
    this.busyMs += ms;
    this.#freeAt = Math.max(this.#freeAt, this.#clock.now) + ms;
    return this.#freeAt;
  }
}

/** From a moment on the line carries nothing for so long, ms; connections over it break at once. */
export interface Outage {
  readonly at: number;
  readonly ms: number;
}

export class Line {
  readonly #bytesPerMs: number;
  readonly #outage: Outage | null;
  #freeAt = 0;
  /** Bytes that it has carried. */
  carried = 0;

  /** @param bytesPerSecond of all that use it */
  constructor(bytesPerSecond: number, outage: Outage | null = null) {
    this.#bytesPerMs = bytesPerSecond / 1_000;
    this.#outage = outage;
  }

  /** How long the line needs for so many bytes, ms. */
  ms(bytes: number): number {
    return bytes / this.#bytesPerMs;
  }

  isDown(at: number): boolean {
    return this.#outage !== null && at >= this.#outage.at && at < this.#outage.at + this.#outage.ms;
  }

  /** Sends bytes, behind all that was sent before. @returns when the last one arrives, or when the connection broke */
  send(bytes: number, earliest: number): { readonly arrived: number } | { readonly broke: number } {
    const start = Math.max(this.#freeAt, earliest);
    const arrived = start + this.ms(bytes);
    const { at, ms } = this.#outage ?? { at: Number.POSITIVE_INFINITY, ms: 0 };
    if (start < at + ms && arrived > at) return { broke: Math.max(at, start) };
    this.#freeAt = arrived;
    this.carried += bytes;
    return { arrived };
  }
}
