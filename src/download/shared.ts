/**
 * A download of a whole image that is not committed: the loop of one reader of a fill. It reads what is stored, pulls
 * when nobody does, waits when somebody does, and takes the bytes from the origin by itself when the fill can't help.
 */
import type { FillClient } from "../fill/client.ts";
import type { Ask, Cut, Errand, Subject, Turn } from "../fill/protocol.ts";
import { Pull, type PullClient, type PullEnd } from "../fill/puller.ts";
import { digestInto } from "../fill/verify.ts";
import type { Log } from "../observe/log.ts";
import { ImageBody, type ImageSource, READ_BYTES } from "../origin/image-body.ts";
import {
  partsOf,
  type SlicePart,
  type SlicePlan,
  sliceAt,
  sliceCount,
  sliceLength,
  sliceStart,
} from "../store/slice-plan.ts";
import type { SliceStore } from "../store/slices.ts";
import { ClientBody } from "./client-body.ts";
import { DigestGate } from "./digest-gate.ts";
import { gatedClient, isWrongImage } from "./gated-client.ts";

/** How long one question may wait at the Fill. */
const TURN_MS = 10_000;

type PullTurn = Extract<Turn, { do: "pull" }>;

export interface SharedJob {
  readonly subject: Subject;
  readonly source: ImageSource;
  readonly errand: Errand;
  readonly fill: FillClient;
  readonly slices: SliceStore;
  readonly signal: AbortSignal;
  readonly log: Log;
}

/** What the client can't be given, because a part of it was not the image or can't be had any more. */
class Unfinishable extends Error {
  override readonly name = "Unfinishable";
}

export class SharedDownload {
  readonly client: ClientBody;
  readonly #job: SharedJob;
  readonly #reader = crypto.randomUUID();
  /** What the client has bytes of, if it has any, and how it is cut. */
  #cut: Cut | null = null;
  #lastIsStored = false;
  /** Pulls of this download that run beside its reading. */
  readonly #beside: Promise<unknown>[] = [];
  #pullFailure: Error | null = null;
  /** The pull that the client got its first bytes from, and how many, once it reads from the store instead. */
  #detached: { readonly pull: Pull; readonly position: number } | null = null;

  constructor(job: SharedJob) {
    this.#job = job;
    this.client = new ClientBody(job.subject.size, 0);
  }

  /** The first turn, without waiting: tells how the download begins. */
  firstTurn(): Promise<Turn> {
    return this.#job.fill.turn(this.#job.subject, this.#ask(), 0, this.#job.errand);
  }

  /** Gives back a turn to pull that can't be used, because the origin refused. */
  async decline(turn: PullTurn): Promise<void> {
    const { fill, log } = this.#job;
    await fill
      .lease(turn.lease, turn.generation)
      .release(false)
      .catch((cause: unknown) => log.error("fill.unavailable", cause));
  }

  /**
   * Sends the image. Never throws: what can't be sent is cut and logged.
   * @param opened the origin's data from its first byte, when the first turn needed it
   */
  async run(first: Turn, opened: ImageBody | null): Promise<void> {
    const onAbort = () => void this.#job.fill.left(this.#reader);
    this.#job.signal.addEventListener("abort", onAbort, { once: true });
    try {
      await this.#loop(first, opened);
    } catch (cause) {
      opened?.cancel();
      const { signal, log, subject } = this.#job;
      if (!signal.aborted) log.error("download.cut", cause, { image_id: subject.imageId, sent: this.client.position });
      await this.client.cut(cause instanceof Error ? cause : new Error("the download failed"));
    } finally {
      this.#job.signal.removeEventListener("abort", onAbort);
      await Promise.allSettled(this.#beside);
      await this.#job.fill.left(this.#reader);
    }
  }

  async #loop(first: Turn, opened: ImageBody | null): Promise<void> {
    let turn = first;
    for (;;) {
      switch (turn.do) {
        case "read":
          this.#cut = turn;
          if (!(await this.#readStored(turn.stored))) return this.#alone(null);
          break;
        case "pull":
          this.#cut = turn;
          // Only a client without a byte can have its whole image digested on the way.
          if (turn.slice > 0 || this.client.position > 0) await this.#pullBeside(turn);
          else if ((await this.#pullForClient(turn, opened)) === "done") return;
          opened = null;
          break;
        case "finish":
          this.#requireOwnBytes();
          if (!(await this.#sendSlices(sliceCount(this.#plan())))) {
            throw new Unfinishable("the last slice is gone");
          }
          return this.client.end();
        case "cut":
          throw new Unfinishable(`the fill was given up: ${turn.why}`);
        case "alone":
          return this.#alone(opened);
        case "wait":
          break;
      }
      if (this.#job.signal.aborted) return;
      turn = await this.#job.fill.turn(this.#job.subject, this.#ask(), TURN_MS, this.#job.errand);
    }
  }

  /** How the content being read is cut. */
  #plan(): SlicePlan {
    if (this.#cut === null) throw new Unfinishable("no fill was joined");
    return { size: this.#job.subject.size, sliceBytes: this.#cut.sliceBytes };
  }

  #ask(): Ask {
    const reader = this.#reader;
    if (this.#cut === null) return { reader, generation: null, need: { what: "slice", slice: 0 } };
    const slice = sliceAt(this.#plan(), this.client.position);
    // The last slice is held back until the content is known to be right.
    const heldBack = this.#lastIsStored && slice === sliceCount(this.#plan()) - 1;
    return {
      reader,
      // A client without a byte may as well begin with another generation.
      generation: heldBack || this.client.position > 0 ? this.#cut.generation : null,
      need: heldBack ? { what: "verdict" } : { what: "slice", slice },
    };
  }

  /** Sends what is stored, all but the last slice. @returns false when a slice can't be read */
  async #readStored(stored: number): Promise<boolean> {
    const count = sliceCount(this.#plan());
    this.#lastIsStored = stored === count;
    return this.#sendSlices(Math.min(stored, count - 1));
  }

  /** Sends the slices below `end`, from the client's position on, natively. */
  async #sendSlices(end: number): Promise<boolean> {
    const plan = this.#plan();
    const to = end === sliceCount(plan) ? plan.size : sliceStart(plan, end);
    const parts = partsOf(plan, this.client.position, to);
    let opening = parts[0] === undefined ? null : this.#open(parts[0]);
    for (const [index, part] of parts.entries()) {
      const body = await opening;
      const next = parts[index + 1];
      if (body === null) return false;
      opening = next === undefined ? null : this.#open(next);
      try {
        await this.client.pipe(body, part.length);
      } catch (cause) {
        await opening?.then((unused) => unused?.cancel());
        throw cause;
      }
    }
    return true;
  }

  /** Opens a part of a stored slice, or null when it can't be read. */
  async #open(part: SlicePart): Promise<ReadableStream<Uint8Array> | null> {
    const { slices, subject, fill, log } = this.#job;
    const { blob, generation } = this.#cut ?? {};
    if (blob === undefined || generation === undefined) return null;
    try {
      const size = sliceLength(this.#plan(), part.slice);
      const body = await slices.open(blob, generation, { ...part, size }, null);
      if (body === null) {
        log.info("fill.slice-missing", { image_id: subject.imageId, slice: part.slice });
        await fill.missing(generation);
      }
      return body;
    } catch (cause) {
      log.error("store.unavailable", cause, { image_id: subject.imageId, slice: part.slice });
      return null;
    }
  }

  /** Pulls from the first byte on, through a digest gate to the client. @returns "done" when the client has all */
  async #pullForClient(turn: PullTurn, opened: ImageBody | null): Promise<"done" | "go-on"> {
    const pull = this.#newPull(turn, opened, gatedClient(this.#job.subject, this.client));
    const ended = this.#conclude(turn, pull.run());
    if ((await Promise.race([ended, pull.detached])) !== "detached") return "done";
    // The client did not keep up while others waited. The pull goes on beside it, and it reads on from the store.
    this.#detached = { pull, position: this.client.position };
    this.#beside.push(ended);
    return "go-on";
  }

  /** Tells the Fill what the digest gate of a pull from the first byte has seen. */
  async #conclude(turn: PullTurn, running: Promise<PullEnd>): Promise<void> {
    const { fill, subject } = this.#job;
    try {
      // A v1 download's gate knows the MD5 only: it can't speak for a fill that is about a stronger digest.
      if ((await running) === "stored" && turn.blob === subject.blob) await fill.agreed(turn.lease, turn.generation);
    } catch (cause) {
      if (isWrongImage(cause)) await fill.disagreed(turn.generation);
      throw cause;
    }
  }

  /**
   * Pulls from the middle on, beside the reading: what the client gets is what comes back out of the store, so that the
   * read-back speaks for the very bytes that it has.
   */
  async #pullBeside(turn: PullTurn): Promise<void> {
    if (this.#pullFailure !== null) {
      await this.decline(turn);
      throw this.#pullFailure;
    }
    const running = this.#newPull(turn, null, null)
      .run()
      .catch((cause: unknown) => {
        this.#pullFailure = cause instanceof Error ? cause : new Error("the pull failed");
      });
    this.#beside.push(running);
  }

  #newPull(turn: PullTurn, opened: ImageBody | null, client: PullClient | null): Pull {
    const { fill, slices, source, signal, log } = this.#job;
    return new Pull({
      plan: this.#plan(),
      blob: turn.blob,
      generation: turn.generation,
      slice: turn.slice,
      body: opened ?? new ImageBody(source),
      slices,
      lease: fill.lease(turn.lease, turn.generation),
      client,
      log,
      expired: () => signal.aborted,
    });
  }

  /**
   * What the client got from a pull of its own, before it was detached, must be what that pull stored: the verdict is
   * about the store.
   */
  #requireOwnBytes(): void {
    if (this.#detached === null) return;
    const { pull, position } = this.#detached;
    if (position > sliceStart(this.#plan(), pull.ownEnd)) throw new Unfinishable("others stored what this client got");
  }

  /**
   * The rest of the image straight from the origin, through a digest gate. What the client has already was read from
   * the store, so it is digested from there: the digest must cover the very bytes that were sent.
   */
  async #alone(opened: ImageBody | null): Promise<void> {
    const { subject, source } = this.#job;
    const gate = new DigestGate(subject.digest, subject.size, this.client);
    const start = this.client.position;
    if (start > 0) {
      this.#requireOwnBytes();
      await this.#absorbSent(gate, start);
    }
    const body = opened ?? new ImageBody(source);
    try {
      for (let at = start; at < subject.size; ) {
        const chunk = await body.read(at, READ_BYTES);
        at += chunk.byteLength;
        await gate.write(chunk);
      }
      await body.expectEnd();
      await gate.finish();
    } finally {
      body.cancel();
    }
    await this.client.end();
  }

  async #absorbSent(gate: DigestGate, to: number): Promise<void> {
    let buffer = new ArrayBuffer(READ_BYTES);
    for (const part of partsOf(this.#plan(), 0, to)) {
      const body = await this.#open(part);
      if (body === null) throw new Unfinishable("what was sent can't be digested any more");
      buffer = await digestInto({ write: (chunk) => gate.absorb(chunk) }, body, buffer);
    }
  }
}
