/**
 * The way into the store for one pull: slices are put while the next one is being read, and reported to the Fill in their
 * order. What could not be stored is told to the puller, never hidden.
 */
import { withDeadline } from "../deadline.ts";
import type { Log } from "../observe/log.ts";
import type { PutAnswer, SliceStore } from "../store/slices.ts";
import { giveBuffer, type SliceBuffer, takeBuffer } from "./buffers.ts";
import type { Standing } from "./protocol.ts";

/** The Fill, as the holder of a lease speaks to it. Every call may throw when the Fill can't be reached. */
export interface LeaseHolder {
  stored(slice: number, etag: string, foreign: boolean): Promise<Standing>;
  alive(received: number): Promise<Standing>;
  /** Gives the lease back. `quiet`: the download goes on alone and wants the link for itself. */
  release(quiet: boolean): Promise<void>;
  /** Keeps the background quiet for a download that let go, or ends that. */
  quiet(ended: boolean): Promise<void>;
}

export interface SliceTarget {
  readonly blob: string;
  readonly generation: string;
  /** The first slice of this pull. */
  readonly slice: number;
  readonly slices: SliceStore;
  readonly lease: LeaseHolder;
  readonly log: Log;
}

/** With the slice being filled, three of 8 MiB: a pull stays below 32 MiB. */
const MAX_PUTS = 2;
const PUT_TRIES = 3;
/** A put of 8 MiB takes well below a second; one this slow is not worth waiting for. */
const PUT_MS = 30_000;
const PUT_RETRY_MS = 250;

export class SliceWriter {
  readonly #target: SliceTarget;
  readonly #puts = new Set<Promise<void>>();
  #reports: Promise<void> = Promise.resolve();
  #standing: Standing = { lease: "held", waiters: 0 };
  #failed = false;
  #ownEnd: number;

  constructor(target: SliceTarget) {
    this.#target = target;
    this.#ownEnd = target.slice;
  }

  /** The Fill's last word. */
  get standing(): Standing {
    return this.#standing;
  }

  /** Whether a slice could not be stored or reported: nothing behind it counts. */
  get failed(): boolean {
    return this.#failed;
  }

  /** The slices from the pull's first one up to this (exclusive) hold exactly what this pull has read. */
  get ownEnd(): number {
    return this.#ownEnd;
  }

  /** How many readers other than the puller depend on the fill. */
  get waiters(): number {
    return this.#standing.lease === "held" ? this.#standing.waiters : 0;
  }

  /** A buffer for the next slice, or null while two are on their way or the isolate has no room. */
  takeBuffer(length: number): SliceBuffer | null {
    return this.#puts.size < MAX_PUTS ? takeBuffer(length, Date.now()) : null;
  }

  /** Waits for a put to end, at most `ms`. */
  async somePut(ms: number): Promise<void> {
    await Promise.race([...this.#puts, scheduler.wait(ms)]);
  }

  /** Hands a full slice over: stored and reported in the background. */
  store(slice: number, buffer: SliceBuffer): void {
    const put = this.#put(slice, buffer.bytes).finally(() => giveBuffer(buffer));
    const done = put.then(
      () => undefined,
      () => undefined,
    );
    this.#puts.add(done);
    void done.then(() => this.#puts.delete(done));
    this.#reports = this.#reports.then(() => this.#report(slice, put));
  }

  /** Waits until all that was handed over is stored and reported, or has failed. */
  async settle(): Promise<void> {
    await this.#reports;
  }

  /** Runs once all reports so far are out. */
  afterReports(say: () => Promise<void>): void {
    this.#reports = this.#reports.then(() => this.tell(say));
  }

  /** Tells the Fill that the puller lives. */
  async alive(received: number): Promise<void> {
    await this.tell(async () => {
      this.#standing = await this.#target.lease.alive(received);
    });
  }

  /** Says something to the Fill. One that can't be reached is as good as a store that failed. */
  async tell(say: () => Promise<void>): Promise<void> {
    try {
      await say();
    } catch (cause) {
      this.#target.log.error("fill.unreachable", cause, { blob: this.#target.blob });
      this.#failed = true;
    }
  }

  async #report(slice: number, put: Promise<PutAnswer>): Promise<void> {
    const { lease, blob, log } = this.#target;
    const answer = await put.catch((cause: unknown) => {
      if (!this.#failed) log.error("fill.put-failed", cause, { blob, slice });
      this.#failed = true;
      return null;
    });
    // Behind a slice that could not be stored, none counts: what is stored has no holes.
    if (answer === null || this.#failed) return;
    const foreign = answer.kind === "exists";
    if (!foreign && this.#ownEnd === slice) this.#ownEnd++;
    await this.tell(async () => {
      this.#standing = await lease.stored(slice, answer.etag, foreign);
    });
  }

  async #put(slice: number, bytes: Uint8Array): Promise<PutAnswer> {
    const { slices, blob, generation } = this.#target;
    for (let tries = 1; ; tries++) {
      try {
        const answer = await withDeadline("storing a slice", PUT_MS, slices.put(blob, generation, slice, bytes));
        if (answer.kind === "created" || answer.size === bytes.byteLength) return answer;
        throw new Error(`slice ${slice} exists with ${answer.size} bytes instead of ${bytes.byteLength}`);
      } catch (cause) {
        if (tries === PUT_TRIES) throw cause;
        await scheduler.wait(PUT_RETRY_MS * tries);
      }
    }
  }
}
