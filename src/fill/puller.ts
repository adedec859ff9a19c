/**
 * The puller: reads an image from the origin under a lease, gives each chunk to its client (if it has one) and stores
 * slice after slice. It is the one place where image bytes are in JavaScript on the way in: reads of 1 MiB, at most
 * two slices being stored and one being filled.
 */
import type { ImageBody } from "../origin/image-body.ts";
import { type SlicePlan, sliceCount, sliceLength, sliceStart } from "../store/slice-plan.ts";
import { giveBuffer, type SliceBuffer } from "./buffers.ts";
import { shouldDetach, shouldLetGo } from "./rules.ts";
import { type SliceTarget, SliceWriter } from "./slice-writer.ts";

/** A client that gets the image from its first byte through a digest gate of its own. */
export interface PullClient {
  /** Takes a chunk; resolves when its buffer is free again. Rejects when the client is gone. */
  deliver(chunk: Uint8Array): Promise<void>;
  /** From here on chunks are only digested: the client reads on from the store. */
  detach(): void;
  /** All bytes were read: ends what is to be ended, or throws when they are not the image. */
  finish(): Promise<void>;
}

export interface PullJob extends SliceTarget {
  readonly plan: SlicePlan;
  readonly body: ImageBody;
  /** Only for a pull from slice 0: another one's digest would not cover the image. */
  readonly client: PullClient | null;
  /** Ends the pull at the next slice once it says so. */
  readonly expired: () => boolean;
}

export type PullEnd =
  /** All slices from the first to the last are stored. */
  | "stored"
  /** The client has all; the store was let go on the way. */
  | "let-go"
  /** The lease is given back or lost; somebody else may go on. */
  | "handed-on"
  /** The client left; the slice in hand was stored and the lease given back. */
  | "client-left"
  /** The generation was dropped. */
  | "dropped";

/** How long a puller that gives up its lease waits for its puts. */
const SETTLE_MS = 2_000;
/** How often a puller tells that it lives. Well below LEASE_MS. */
const HEARTBEAT_MS = 1_000;
const POLL_MS = 50;

export class Pull {
  readonly #job: PullJob;
  readonly #writer: SliceWriter;
  readonly #startedAt = Date.now();
  readonly #detached = Promise.withResolvers<"detached">();
  /** The client, while chunks go to it. */
  #attached: boolean;
  #clientGone = false;
  #storing = true;
  #received = 0;
  #clientBlockedSince: number | null = null;
  #storeBlockedMs = 0;
  #ended = false;
  #failed = false;

  constructor(job: PullJob) {
    this.#job = job;
    this.#writer = new SliceWriter(job);
    this.#attached = job.client !== null;
  }

  /** Resolves when the client did not keep up while others waited: the pull goes on without it. */
  get detached(): Promise<"detached"> {
    return this.#detached.promise;
  }

  /** The slices below this hold exactly what this pull has read (and given its client). */
  get ownEnd(): number {
    return this.#writer.ownEnd;
  }

  /**
   * Pulls to the end, or until the lease is given back.
   * @throws ImageBodyError, OriginUnreachable when the origin fails; whatever `client.finish` throws. The lease is given
   * back then.
   */
  async run(): Promise<PullEnd> {
    const { body, lease } = this.#job;
    const heartbeat = this.#heartbeat();
    try {
      const end = await this.#pullAll();
      if (end === "client-left" || end === "handed-on") {
        // What is on its way into the store should count before the next one pulls, but nobody waits long for it.
        await Promise.race([this.#writer.settle(), scheduler.wait(SETTLE_MS)]);
        await this.#giveBack(false);
      }
      return end;
    } catch (cause) {
      this.#failed = true;
      await Promise.race([this.#writer.settle(), scheduler.wait(SETTLE_MS)]);
      // The origin just failed: the background may try it in a while, not now.
      await this.#giveBack(true);
      throw cause;
    } finally {
      body.cancel();
      this.#ended = true;
      await heartbeat;
      if (!this.#storing) await this.#writer.tell(() => lease.quiet(!this.#failed));
    }
  }

  async #pullAll(): Promise<PullEnd> {
    const { plan, body, client, expired } = this.#job;
    const count = sliceCount(plan);
    for (let slice = this.#job.slice; slice < count; slice++) {
      const buffer = await this.#bufferFor(slice);
      let stored = false;
      try {
        const end = await this.#pullSlice(slice, buffer);
        if (end !== null) return end;
        // The last slice makes the image whole, so it is not stored before the origin's body has ended with it.
        if (slice === count - 1) await body.expectEnd();
        if (buffer !== null) this.#writer.store(slice, buffer);
        stored = true;
      } finally {
        if (!stored && buffer !== null) giveBuffer(buffer);
      }
      if (this.#clientGone) return "client-left";
      if (!this.#attached && expired()) return "handed-on";
    }
    await client?.finish();
    if (!this.#storing) return "let-go";
    await this.#writer.settle();
    if (this.#writer.standing.lease === "dropped") return "dropped";
    return this.#writer.failed ? "handed-on" : "stored";
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
      await this.#deliver(chunk);
      // Without a store nobody needs the rest of the slice.
      if (this.#clientGone && buffer === null) return "client-left";
    }
    return null;
  }

  /** What the Fill's last word, or a failed store, means for a pull under way. */
  #mustStop(): PullEnd | null {
    const { standing, failed } = this.#writer;
    if (!this.#storing || (standing.lease === "held" && !failed)) return null;
    if (this.#attached) {
      this.#letGo();
      return null;
    }
    return standing.lease === "dropped" ? "dropped" : "handed-on";
  }

  async #deliver(chunk: Uint8Array): Promise<void> {
    const { client, body } = this.#job;
    if (client === null || this.#clientGone) return;
    // A detached client's chunks are digested only, which can't be slow.
    if (!this.#attached) return client.deliver(chunk);
    this.#clientBlockedSince = Date.now();
    const delivered = client.deliver(chunk).then(
      () => "delivered" as const,
      () => "gone" as const,
    );
    const outcome = await Promise.race([delivered, this.detached]);
    this.#clientBlockedSince = null;
    // Detached meanwhile: the chunk may still be on its way to the client, so its buffer is not to be read into again.
    if (!this.#attached) body.keepChunk();
    else if (outcome === "gone") {
      this.#clientGone = true;
      this.#attached = false;
    }
  }

  /** In one go with telling: from the next moment on the client may be given bytes from elsewhere. */
  #detach(): void {
    this.#attached = false;
    this.#job.client?.detach();
    this.#detached.resolve("detached");
  }

  /** Waits for room to store a slice. @returns null when this pull stores no more */
  async #bufferFor(slice: number): Promise<SliceBuffer | null> {
    const length = sliceLength(this.#job.plan, slice);
    for (;;) {
      if (!this.#storing || this.#writer.failed) return null;
      const buffer = this.#writer.takeBuffer(length);
      if (buffer !== null) return buffer;
      const since = Date.now();
      await this.#writer.somePut(POLL_MS);
      this.#storeBlockedMs += Date.now() - since;
      if (!this.#outrunsStore()) continue;
      // The last count of waiters may be a second old, and letting go costs the origin the rest once more.
      await this.#writer.alive(this.#received);
      if (this.#outrunsStore()) this.#letGo();
    }
  }

  #outrunsStore(): boolean {
    const elapsed = Date.now() - this.#startedAt;
    return this.#attached && shouldLetGo(this.#storeBlockedMs, elapsed, this.#writer.waiters);
  }

  #letGo(): void {
    const { log, blob, lease } = this.#job;
    this.#storing = false;
    log.info("fill.let-go", { blob, store_blocked_ms: this.#storeBlockedMs });
    this.#writer.afterReports(() => lease.release(true));
  }

  async #giveBack(quiet: boolean): Promise<void> {
    if (this.#storing && this.#writer.standing.lease === "held") {
      await this.#writer.tell(() => this.#job.lease.release(quiet));
    }
  }

  async #heartbeat(): Promise<void> {
    for (let beats = 1; !this.#ended; beats++) {
      await scheduler.wait(POLL_MS);
      if (this.#ended || beats % (HEARTBEAT_MS / POLL_MS) !== 0) continue;
      if (!this.#storing) {
        await this.#writer.tell(() => this.#job.lease.quiet(false));
        continue;
      }
      await this.#writer.alive(this.#received);
      const blocked = this.#clientBlockedSince === null ? 0 : Date.now() - this.#clientBlockedSince;
      if (this.#attached && shouldDetach(blocked, this.#writer.waiters)) this.#detach();
    }
  }
}
