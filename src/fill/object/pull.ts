/**
 * One pull: the origin's body through the digest gate, the gate's output into slices, some puts at a time. The gate holds
 * the last bytes back until the digest of the whole agreed, so the last slice is stored only then: whoever has all slices has
 * the image, and no reader needs a verdict.
 */

import { Digester } from "../../digest/digester.ts";
import { DigestGate } from "../../digest/gate.ts";
import type { OriginAccess } from "../../glance/forward.ts";
import { ImageBody } from "../../glance/image-body.ts";
import { DeadlineExceeded, unlessAborted, withDeadline } from "../../lib/deadline.ts";
import type { Log } from "../../lib/log.ts";
import { retry } from "../../lib/retry.ts";
import { sliceCount, sliceLength, sliceStart } from "../../store/slice-plan.ts";
import type { SliceStore } from "../../store/slices.ts";
import { type Rights, rightsHeaders } from "../protocol.ts";
import { PartSums } from "./parts.ts";
import { type BufferPool, MAX_PUTS } from "./pool.ts";
import { endOf, NotAdmitted, type PullEnd, PutHangs, SlicesLost, StoreFailed } from "./pull-end.ts";
import { ORIGIN_BYTES_FACTOR } from "./rules.ts";
import type { Filling } from "./state.ts";
import { PUT_MS, SLICE_AGAIN_MS } from "./times.ts";

/** A connection that broke is opened again once, which keeps what was digested; more than that is a new pull's. */
const REOPEN_ONCE_MS = [200];

export interface PullJob {
  readonly filling: Filling;
  readonly rights: Rights;
  readonly at: OriginAccess;
  readonly stallMs: number;
  readonly slices: SliceStore;
  readonly pool: BufferPool;
  /** Whose buffers they are. */
  readonly owner: string;
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Whether the first slice may be stored: false ends the pull. */
  readonly admitted: Promise<boolean>;
  /**
   * All slices before this one are stored now.
   * @param fetched bytes from the origin in this attempt
   * @param sums of the parts that are whole with them
   */
  readonly stored: (stored: number, fetched: number, sums: readonly string[]) => void;
}

/** Pulls from the first slice that is not stored to the end. Never throws. */
export async function pull(
  job: PullJob,
): Promise<PullEnd & { readonly fetched: number; readonly firstByteMs: number | null }> {
  const { filling, rights, at, stallMs, signal } = job;
  const body = new ImageBody({
    target: rights.target,
    caller: rightsHeaders(rights),
    at,
    size: filling.size,
    stallMs,
    retryDelaysMs: REOPEN_ONCE_MS,
    maxBytes: ORIGIN_BYTES_FACTOR * filling.size - filling.fetched,
  });
  const abort = () => body.cancel();
  signal.addEventListener("abort", abort, { once: true });
  try {
    const end = await new Pull(job, body).run();
    return { ...end, fetched: filling.fetched + body.fetched, firstByteMs: body.firstByteMs };
  } finally {
    signal.removeEventListener("abort", abort);
    body.cancel();
  }
}

class Pull {
  readonly #job: PullJob;
  readonly #body: ImageBody;
  readonly #puts = new Set<Promise<void>>();
  /** Slices that are stored, but not all before them. */
  readonly #early = new Set<number>();
  readonly #parts: PartSums | null;
  /** Ends both sides when one has failed. */
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  #stored: number;
  #failure: unknown = null;

  constructor(job: PullJob, body: ImageBody) {
    this.#job = job;
    this.#body = body;
    const { filling } = job;
    this.#stored = filling.stored;
    this.#parts = filling.partBytes === null ? null : new PartSums(filling, filling.partBytes, filling.sums);
    this.#signal = AbortSignal.any([job.signal, this.#stop.signal]);
  }

  async run(): Promise<PullEnd> {
    const { filling, pool, owner } = this.#job;
    try {
      // Before the origin is opened: waiting for memory is no stall of the origin's.
      const giveBack = await pool.take(sliceLength(filling, filling.stored), this.#signal, owner);
      const prefix = await unlessAborted(this.#signal, this.#prefix()).catch((cause: unknown) => {
        giveBack();
        throw cause;
      });
      const gate = new DigestGate({ digest: filling.subject.digest, size: filling.size, prefix });
      // Both have ended then: no put begins, and no memory is taken, behind the end of a pull.
      await Promise.all([
        // An origin that does not answer holds nobody up who has been stopped.
        unlessAborted(this.#signal, this.#feed(gate, prefix.bytes)).catch((cause: unknown) => this.#fail(cause)),
        this.#cut(gate, giveBack).catch((cause: unknown) => this.#fail(cause)),
      ]);
      await Promise.all(this.#puts);
      return this.#failure === null ? { end: "complete" } : await endOf(this.#failure, this.#job.signal);
    } catch (cause) {
      return endOf(cause, this.#job.signal);
    }
  }

  /** The failure that counts is the first: all else breaks with it. */
  #fail(cause: unknown): void {
    this.#failure ??= cause;
    this.#stop.abort(cause);
  }

  /** A digester that has seen what is stored already. */
  async #prefix(): Promise<Digester> {
    const { filling } = this.#job;
    const digester = new Digester(filling.subject.digest.algorithm);
    const ahead: Promise<ReadableStream<Uint8Array>>[] = [];
    let next = 0;
    try {
      for (let slice = 0; slice < filling.stored; slice++) {
        this.#signal.throwIfAborted();
        // One after the other, each would cost as long as R2 takes to begin: minutes for some GiB.
        for (; next < filling.stored && ahead.length < MAX_PUTS; next++) {
          const opening = this.#openStored(next);
          opening.catch(() => undefined);
          ahead.push(opening);
        }
        await inTime(digester.absorb(await (ahead.shift() ?? this.#openStored(slice))));
        if (this.#parts?.wants(slice)) await inTime(this.#parts.absorb(slice, await this.#openStored(slice)));
      }
    } finally {
      for (const left of ahead) void left.then((body) => body.cancel()).catch(() => undefined);
    }
    return digester;
  }

  async #openStored(slice: number): Promise<ReadableStream<Uint8Array>> {
    const { filling, slices } = this.#job;
    const length = sliceLength(filling, slice);
    const source = { imageId: filling.subject.imageId, attempt: filling.attempt };
    const body = await slices.open(source, { slice, size: length, offset: 0, length });
    if (body === null) throw new SlicesLost(`slice ${slice} is gone`);
    return body;
  }

  /** The origin's bytes into the gate, from this one on. */
  async #feed(gate: DigestGate, from: number): Promise<void> {
    await this.#body.sendTo(gate.writable, from);
    await gate.passed;
  }

  /** The gate's bytes into slices. @param giveBack the first one's buffer */
  async #cut(gate: DigestGate, giveBack: () => void): Promise<void> {
    const { filling, pool, owner, admitted } = this.#job;
    const signal = this.#signal;
    const reader = gate.readable.getReader({ mode: "byob" });
    reader.closed.catch(() => undefined);
    signal.addEventListener("abort", () => void reader.cancel(signal.reason).catch(() => undefined), { once: true });
    let give = giveBack;
    try {
      for (let slice = filling.stored; slice < sliceCount(filling); slice++) {
        const length = sliceLength(filling, slice);
        if (slice > filling.stored) {
          while (this.#puts.size >= MAX_PUTS) await Promise.race(this.#puts);
          give = await pool.take(length, signal, owner);
        }
        const { value } = await reader.readAtLeast(length, new Uint8Array(length));
        if (value === undefined || value.byteLength < length) throw new Error("the gate ended early");
        await this.#parts?.add(slice, value);
        if (!(await admitted)) throw new NotAdmitted("there is no room for the image");
        // Who looks for slices by itself (src/download/look-ahead.ts) takes the last one for the proof of all before it, and keys are
        // written once: it is put only when those are there.
        if (slice === sliceCount(filling) - 1) await Promise.all(this.#puts);
        signal.throwIfAborted();
        this.#store(slice, value, give);
        give = () => undefined;
      }
    } catch (cause) {
      give();
      await reader.cancel(cause).catch(() => undefined);
      throw cause;
    }
  }

  /** Stores a slice in the background; its buffer is given back when the put has really ended. */
  #store(slice: number, bytes: Uint8Array, giveBack: () => void): void {
    const { filling, slices, stored } = this.#job;
    const source = { imageId: filling.subject.imageId, attempt: filling.attempt };
    const putting = retry(() => slices.put(source, slice, bytes), { delaysMs: SLICE_AGAIN_MS });
    putting.then(giveBack, giveBack);
    const done = withDeadline("storing a slice", PUT_MS, putting)
      .then((agrees) => {
        if (!agrees) throw new StoreFailed(`slice ${slice} has other bytes in R2`);
        this.#early.add(slice);
        while (this.#early.delete(this.#stored)) this.#stored++;
        stored(this.#stored, filling.fetched + this.#body.fetched, this.#wholeSums());
      })
      .catch((cause: unknown) =>
        this.#fail(
          cause instanceof DeadlineExceeded
            ? new PutHangs("a put does not end", { cause })
            : new StoreFailed("a slice was not stored", { cause }),
        ),
      );
    this.#puts.add(done);
    void done.then(() => this.#puts.delete(done));
  }

  /** Sums of the parts whose slices are all stored: what was read ahead of them may have to be read again. */
  #wholeSums(): readonly string[] {
    const { filling } = this.#job;
    if (this.#parts === null || filling.partBytes === null) return [];
    const bytes = storedBytes(filling, this.#stored);
    const whole = bytes === filling.size ? this.#parts.sums.length : Math.floor(bytes / filling.partBytes);
    return this.#parts.sums.slice(0, whole);
  }
}

/** @throws DeadlineExceeded: a slice that R2 begins to give and does not end must not hold the fill up for ever */
function inTime<T>(absorbing: Promise<T>): Promise<T> {
  return withDeadline("reading a slice again", PUT_MS, absorbing);
}

/** Bytes of the image that so many slices hold. */
function storedBytes(filling: Filling, stored: number): number {
  return Math.min(filling.size, sliceStart(filling, stored));
}
