/**
 * Clients of a download that run side by side: each reads at its own pace, may pause or leave, and remembers what it
 * got and when, so that a test can say what one of them did to the others.
 */
import { expect } from "vitest";
import { type Ask, ask, type Image, type OriginCall, PROBE, PROBE_V1, sha512 } from "./scenario.ts";

export interface ReaderOptions extends Omit<Ask, "signal"> {
  /** Default v2. */
  readonly api?: "v1" | "v2";
  /** Stops reading once it has so many bytes, until `resume` is called. */
  readonly pauseAt?: number;
  /** Leaves once it has so many bytes. */
  readonly leaveAt?: number;
}

export type Ending =
  /** The body ended by itself. */
  | "whole"
  /** The body broke off. */
  | "cut"
  /** The client hung up. */
  | "left";

export class Reader {
  readonly response: Response;
  /** How it ended; never rejects. */
  readonly ended: Promise<Ending>;
  /** ms since the epoch. */
  readonly askedAt: number;
  firstByteAt = Number.POSITIVE_INFINITY;
  endedAt = Number.POSITIVE_INFINITY;
  /** The longest time without a byte, from the answer to the end, ms. */
  longestGapMs = 0;
  received = 0;
  readonly #chunks: Uint8Array[] = [];
  readonly #abort: AbortController;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #options: ReaderOptions;
  readonly #resumed = Promise.withResolvers<void>();
  #left = false;

  constructor(response: Response, options: ReaderOptions, abort: AbortController, askedAt: number) {
    if (response.body === null) throw new Error(`a download without a body: ${response.status}`);
    this.response = response;
    this.askedAt = askedAt;
    this.#options = options;
    this.#abort = abort;
    this.#reader = response.body.getReader();
    this.ended = this.#read();
  }

  get cacheStatus(): string | null {
    return this.response.headers.get("cache-status");
  }

  /** SHA-512 of all that it got, hex. */
  async sha512(): Promise<string> {
    return sha512(await new Blob(this.#chunks).arrayBuffer());
  }

  /** Hangs up: what the platform tells the Worker then is that its body is not read any more, and the signal. */
  leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#resumed.resolve();
    this.#reader.cancel("the client left").catch(() => undefined);
    this.#abort.abort();
  }

  resume(): void {
    this.#resumed.resolve();
  }

  /** Waits until it has so many bytes. @throws when it ends before, or after 50 s */
  async has(bytes: number): Promise<void> {
    for (const deadline = Date.now() + 50_000; this.received < bytes; await scheduler.wait(5)) {
      if (this.endedAt !== Number.POSITIVE_INFINITY) throw new Error(`ended with ${this.received} bytes`);
      if (Date.now() > deadline) throw new Error(`still at ${this.received} bytes`);
    }
  }

  async #read(): Promise<Ending> {
    const { pauseAt, leaveAt } = this.#options;
    let since = Date.now();
    try {
      for (;;) {
        if (pauseAt !== undefined && this.received >= pauseAt) await this.#resumed.promise;
        const { value, done } = await this.#reader.read();
        const now = Date.now();
        this.longestGapMs = Math.max(this.longestGapMs, now - since);
        since = now;
        if (done) return this.#left ? "left" : "whole";
        this.firstByteAt = Math.min(this.firstByteAt, now);
        this.#chunks.push(value);
        this.received += value.byteLength;
        if (leaveAt !== undefined && this.received >= leaveAt) this.leave();
      }
    } catch {
      return this.#left ? "left" : "cut";
    } finally {
      this.endedAt = Date.now();
    }
  }
}

/** Begins a download; resolves with its headers there and its body under way. */
export async function startReader(id: string, options: ReaderOptions = {}): Promise<Reader> {
  const { api = "v2", pauseAt: _pauseAt, leaveAt: _leaveAt, ...init } = options;
  const abort = new AbortController();
  const askedAt = Date.now();
  const path = api === "v2" ? `/v2/images/${id}/file` : `/v1/images/${id}`;
  return new Reader(await ask(path, { ...init, signal: abort.signal }), options, abort, askedAt);
}

/** The reader got the image, all of it. */
export async function expectImage(reader: Reader, image: Image): Promise<void> {
  expect(await reader.ended).toBe("whole");
  expect(await reader.sha512()).toBe(image.os_hash_value);
}

/** Bytes of image data that the origin sent, without the questions for the right. */
export function dataBytes(calls: readonly OriginCall[]): number {
  return dataCalls(calls).reduce((sum, { status, bytes }) => sum + (status < 300 ? bytes : 0), 0);
}

function dataCalls(calls: readonly OriginCall[]): OriginCall[] {
  return calls.filter(({ method, path, range }) => {
    if (method !== "GET") return false;
    return path.startsWith("/v1/images/") ? range !== PROBE_V1 : /\/file(\?|$)/.test(path) && range !== PROBE;
  });
}
