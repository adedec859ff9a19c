/**
 * The puller: reads an image from the origin under a lease, gives each chunk to its client (if it has one) and stores
 * slice after slice. It is the one place where image bytes are in JavaScript on the way in: reads of 1 MiB, at most
 * two slices being stored and one being filled.
 */
import { withDeadline } from "../deadline.ts";
import type { Log } from "../observe/log.ts";
import type { ImageBody } from "../origin/image-body.ts";
import { type SlicePlan, sliceCount, sliceLength, sliceStart } from "../store/slice-plan.ts";
import type { PutAnswer, SliceStore } from "../store/slices.ts";
import { giveBuffer, type SliceBuffer, takeBuffer } from "./buffers.ts";
import type { Standing } from "./protocol.ts";
import { shouldHandOn, shouldLetGo } from "./rules.ts";

/** The Fill, as the holder of a lease speaks to it. */
export interface LeaseHolder {
  stored(slice: number, etag: string, foreign: boolean): Promise<Standing>;
  alive(received: number): Promise<Standing>;
  /** Gives the lease back. `quiet`: the download goes on alone and wants the link for itself. */
  release(quiet: boolean): Promise<void>;
  /** Keeps the background quiet for a download that let go, or ends that. */
  quiet(ended: boolean): Promise<void>;
}

export interface PullClient {
  /** Takes a chunk; resolves when its buffer is free again. Rejects when the client is gone. */
  deliver(chunk: Uint8Array): Promise<void>;
  /** All bytes were read: ends the client's body, or throws when they are not the image. */
  finish(): Promise<void>;
  /** Whether the client could do without the store from here on, because it digests all of the image itself. */
  readonly mayGoAlone: boolean;
}

export interface PullJob {
  readonly plan: SlicePlan;
  readonly blob: string;
  readonly generation: string;
  /** The first slice to pull. */
  readonly slice: number;
  readonly body: ImageBody;
  readonly slices: SliceStore;
  readonly lease: LeaseHolder;
  readonly client: PullClient | null;
  readonly log: Log;
  /** Stops at the next slice once it says so; for a run that must end in time. */
  readonly expired?: () => boolean;
}

export type PullEnd =
  /** All slices from the first to the last are stored. */
  | "stored"
  /** The client has all; the store was let go on the way. */
  | "let-go"
  /** The lease is given back or lost; the client needs the rest from elsewhere. */
  | "handed-on"
  /** The client left; the slice in hand was stored and the lease given back. */
  | "client-left"
  /** The generation was dropped; what the client has beyond its own digest is worth nothing. */
  | "dropped";

const MAX_PUTS = 2;
const PUT_TRIES = 3;
/** A put of 8 MiB takes well below a second; one this slow would not be worth waiting for. */
const PUT_MS = 30_000;
const PUT_RETRY_MS = 250;
/** How long a puller that gives up its lease waits for its puts. */
const SETTLE_MS = 2_000;
/** How often a puller tells that it lives. Well below LEASE_MS. */
const HEARTBEAT_MS = 1_000;
const POLL_MS = 50;

/**
 * Pulls from `job.slice` to the end, or until the lease is given back. Cancels `job.body` when it does not reach the end.
 * @throws ImageBodyError, OriginUnreachable when the origin fails; whatever `client.finish` throws. The lease is given
 * back then.
 */
export async function pull(job: PullJob): Promise<PullEnd> {
  return new Pull(job).run();
}

class Pull {
  readonly #job: PullJob;
  readonly #startedAt = Date.now();
  readonly #puts = new Set<Promise<void>>();
  /** Reports go out in the order of the slices, whatever order the puts end in. */
  #reports: Promise<void> = Promise.resolve();
  #standing: Standing = { lease: "held", waiters: 0 };
  #storing = true;
  #storeFailed = false;
  #clientGone = false;
  #received = 0;
  #clientBlockedSince: number | null = null;
  #storeBlockedMs = 0;
  #ended = false;
  #failed = false;
  readonly #handOn = Promise.withResolvers<"hand-on">();

  constructor(job: PullJob) {
    this.#job = job;
  }

  async run(): Promise<PullEnd> {
    const heartbeat = this.#heartbeat();
    try {
      const end = await this.#pullAll();
      if (end !== "stored" && end !== "let-go") this.#job.body.cancel();
      if (end === "client-left" || end === "handed-on") {
        // What is on its way into the store should count before the next one pulls, but nobody waits long for it.
        await Promise.race([this.#settle(), scheduler.wait(SETTLE_MS)]);
        await this.#giveBack(false);
      }
      return end;
    } catch (cause) {
      this.#job.body.cancel();
      await this.#settle();
      // The origin just failed: the background may try it in a while, not now.
      this.#failed = true;
      await this.#giveBack(true);
      throw cause;
    } finally {
      this.#ended = true;
      await heartbeat;
      if (!this.#storing) await this.#tell(() => this.#job.lease.quiet(!this.#failed));
    }
  }

  async #pullAll(): Promise<PullEnd> {
    const { plan, body, client } = this.#job;
    const count = sliceCount(plan);
    for (let slice = this.#job.slice; slice < count; slice++) {
      const buffer = await this.#bufferFor(slice);
      let stored = false;
      try {
        const end = await this.#pullSlice(slice, buffer);
        if (end !== null) return end;
        // The last slice makes the image whole, so it is not stored before the origin's body has ended with it.
        if (slice === count - 1) await body.expectEnd();
        if (buffer !== null) this.#store(slice, buffer);
        stored = true;
      } finally {
        if (!stored && buffer !== null) giveBuffer(buffer);
      }
      if (this.#clientGone) return "client-left";
      if (this.#job.expired?.() ?? false) return "handed-on";
    }
    if (!this.#clientGone) await client?.finish();
    await this.#settle();
    if (this.#standing.lease === "dropped") return "dropped";
    if (!this.#storing) return "let-go";
    return this.#storeFailed ? "handed-on" : "stored";
  }

  /** @returns null when the slice was read whole, else how the pull ends */
  async #pullSlice(slice: number, buffer: SliceBuffer | null): Promise<PullEnd | null> {
    const { plan, body } = this.#job;
    const start = sliceStart(plan, slice);
    const length = sliceLength(plan, slice);
    for (let filled = 0; filled < length; ) {
      const end = this.#mustStop();
      if (end !== null) return end;
      const chunk = await body.read(start + filled, length - filled);
      if (buffer !== null) {
        buffer.bytes.set(chunk, filled);
        buffer.touchedAt = Date.now();
      }
      filled += chunk.byteLength;
      this.#received += chunk.byteLength;
      if (!this.#clientGone && (await this.#deliver(chunk)) === "hand-on") return "handed-on";
      if (this.#clientGone && buffer === null) return "client-left";
    }
    return null;
  }

  /** What the Fill's last word, or a failed store, means for a pull under way. */
  #mustStop(): PullEnd | null {
    const alone = this.#job.client?.mayGoAlone === true && !this.#clientGone;
    if (this.#storing && (this.#storeFailed || this.#standing.lease === "dropped") && alone) this.#letGo();
    if (!this.#storing) return null;
    if (this.#standing.lease === "dropped") return "dropped";
    return this.#storeFailed || this.#standing.lease === "lost" ? "handed-on" : null;
  }

  async #deliver(chunk: Uint8Array): Promise<"delivered" | "hand-on"> {
    const { client } = this.#job;
    if (client === null) return "delivered";
    this.#clientBlockedSince = Date.now();
    const delivered = client.deliver(chunk).then(
      () => "delivered" as const,
      () => "gone" as const,
    );
    const outcome = await Promise.race([delivered, this.#handOn.promise]);
    this.#clientBlockedSince = null;
    if (outcome === "gone") this.#clientGone = true;
    return outcome === "hand-on" ? "hand-on" : "delivered";
  }

  /** Waits for room to store a slice. @returns null when this pull stores no more */
  async #bufferFor(slice: number): Promise<SliceBuffer | null> {
    const length = sliceLength(this.#job.plan, slice);
    for (;;) {
      if (!this.#storing) return null;
      const since = Date.now();
      const buffer = this.#puts.size < MAX_PUTS ? takeBuffer(length, since) : null;
      if (buffer !== null) return buffer;
      await Promise.race([...this.#puts, scheduler.wait(POLL_MS)]);
      this.#storeBlockedMs += Date.now() - since;
      const waiters = this.#standing.lease === "held" ? this.#standing.waiters : 0;
      const alone = this.#job.client?.mayGoAlone === true && !this.#clientGone;
      if (alone && shouldLetGo(this.#storeBlockedMs, Date.now() - this.#startedAt, waiters)) this.#letGo();
      if (this.#storeFailed) return null;
    }
  }

  #letGo(): void {
    this.#storing = false;
    this.#job.log.info("fill.let-go", { blob: this.#job.blob, store_blocked_ms: this.#storeBlockedMs });
    this.#reports = this.#reports.then(() => this.#tell(() => this.#job.lease.release(true)));
  }

  #store(slice: number, buffer: SliceBuffer): void {
    const put = this.#put(slice, buffer.bytes).finally(() => giveBuffer(buffer));
    const done = put.then(
      () => undefined,
      () => undefined,
    );
    this.#puts.add(done);
    void done.then(() => this.#puts.delete(done));
    this.#reports = this.#reports.then(async () => {
      const answer = await put.catch((cause: unknown) => {
        if (!this.#storeFailed) this.#job.log.error("fill.put-failed", cause, { blob: this.#job.blob, slice });
        this.#storeFailed = true;
        return null;
      });
      // Behind a slice that could not be stored, none counts: what is stored has no holes.
      if (answer === null || this.#storeFailed) return;
      await this.#tell(async () => {
        this.#standing = await this.#job.lease.stored(slice, answer.etag, answer.kind === "exists");
      });
      // Dropped while this slice was on its way: nobody else would ever remove it.
      if (this.#standing.lease === "dropped") await this.#remove(slice);
    });
  }

  async #put(slice: number, bytes: Uint8Array): Promise<PutAnswer> {
    const { slices, blob, generation } = this.#job;
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

  async #remove(slice: number): Promise<void> {
    const { slices, blob, generation, log } = this.#job;
    await slices
      .remove(blob, generation, slice)
      .catch((cause: unknown) => log.error("fill.remove-failed", cause, { blob, slice }));
  }

  /** Waits until all that was handed to the store is stored and reported. */
  async #settle(): Promise<void> {
    await this.#reports;
  }

  async #giveBack(quiet: boolean): Promise<void> {
    if (this.#standing.lease === "held" && this.#storing) await this.#tell(() => this.#job.lease.release(quiet));
  }

  /** Says something to the Fill. One that can't be reached is as good as one that took the lease away. */
  async #tell(say: () => Promise<void>): Promise<void> {
    try {
      await say();
    } catch (cause) {
      this.#job.log.error("fill.unreachable", cause, { blob: this.#job.blob });
      this.#storeFailed = true;
    }
  }

  async #heartbeat(): Promise<void> {
    for (let beats = 1; !this.#ended; beats++) {
      await scheduler.wait(POLL_MS);
      if (this.#ended || beats % (HEARTBEAT_MS / POLL_MS) !== 0) continue;
      await this.#tell(async () => {
        if (!this.#storing) return this.#job.lease.quiet(false);
        this.#standing = await this.#job.lease.alive(this.#received);
      });
      const blocked = this.#clientBlockedSince === null ? 0 : Date.now() - this.#clientBlockedSince;
      const lost = this.#storing && this.#standing.lease !== "held";
      const waiters = this.#standing.lease === "held" ? this.#standing.waiters : 0;
      if (this.#storing && ((lost && blocked > 0) || shouldHandOn(blocked, waiters))) this.#handOn.resolve("hand-on");
    }
  }
}
