/**
 * A download of a whole image that is not committed: the loop of one reader of a fill. It reads what is stored, pulls
 * when nobody does, waits when somebody does, and takes the bytes from the origin by itself when the fill can't help.
 */
import type { FillClient } from "../fill/client.ts";
import type { Ask, Cut, Errand, Subject, Turn } from "../fill/protocol.ts";
import { type PullClient, pull } from "../fill/puller.ts";
import { digestInto } from "../fill/verify.ts";
import type { Log } from "../observe/log.ts";
import { ImageBody, ImageBodyError, type ImageSource, READ_BYTES } from "../origin/image-body.ts";
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
import { DigestGate, DigestMismatch } from "./digest-gate.ts";

/** How long one question may wait at the Fill. */
const TURN_MS = 10_000;

type Pull = Extract<Turn, { do: "pull" }>;

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

  constructor(job: SharedJob) {
    this.#job = job;
    this.client = new ClientBody(job.subject.size, 0);
  }

  /** The first turn, without waiting: tells how the download begins. */
  firstTurn(): Promise<Turn> {
    return this.#job.fill.turn(this.#job.subject, this.#ask(), 0, this.#job.errand);
  }

  /** Gives back a turn to pull that can't be used, because the origin refused. */
  async decline(turn: Pull): Promise<void> {
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
          if ((await this.#pull(turn, opened)) === "done") return;
          opened = null;
          break;
        case "finish":
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

  /** Pulls under a lease. @returns "done" when the client has all or is gone */
  async #pull(turn: Pull, opened: ImageBody | null): Promise<"done" | "go-on"> {
    const { fill, slices, subject, source, log } = this.#job;
    const plan = this.#plan();
    const gated = turn.slice === 0 && this.client.position === 0;
    const client = gated ? this.#gatedClient() : this.#directClient(turn.slice);
    try {
      const end = await pull({
        plan,
        blob: turn.blob,
        generation: turn.generation,
        slice: turn.slice,
        body: opened ?? new ImageBody(source),
        slices,
        lease: fill.lease(turn.lease, turn.generation),
        client,
        log,
      });
      if (end === "client-left") return "done";
      if (end === "dropped" && !gated) throw new Unfinishable("the fill was dropped");
      if (!gated || end === "handed-on") return "go-on";
      // A v1 download's gate knows the MD5 only: it can't speak for a fill that is about a stronger digest.
      if (turn.blob === subject.blob) await fill.agreed(turn.lease, turn.generation);
      return "done";
    } catch (cause) {
      if (isWrongImage(cause)) await fill.disagreed(turn.generation);
      throw cause;
    }
  }

  /** A client that gets the image from its first byte through a digest gate of its own. */
  #gatedClient(): PullClient {
    const gate = new DigestGate(this.#job.subject.digest, this.#job.subject.size, this.client);
    return {
      deliver: (chunk) => gate.write(chunk),
      finish: async () => {
        await gate.finish();
        await this.client.end();
      },
      mayGoAlone: true,
    };
  }

  /** A client that took over half way: it gets what it has not, up to the last slice, which waits for the verdict. */
  #directClient(slice: number): PullClient {
    const plan = this.#plan();
    const until = sliceStart(plan, sliceCount(plan) - 1);
    let at = sliceStart(plan, slice);
    return {
      deliver: async (chunk) => {
        const from = Math.max(0, this.client.position - at);
        const to = Math.min(chunk.byteLength, until - at);
        at += chunk.byteLength;
        if (from < to) await this.client.write(chunk.subarray(from, to));
      },
      finish: () => Promise.resolve(),
      mayGoAlone: false,
    };
  }

  /**
   * The rest of the image straight from the origin, through a digest gate. What the client has already was read from
   * the store, so it is digested from there: the digest must cover the very bytes that were sent.
   */
  async #alone(opened: ImageBody | null): Promise<void> {
    const { subject, source } = this.#job;
    const gate = new DigestGate(subject.digest, subject.size, this.client);
    const start = this.client.position;
    if (start > 0) await this.#absorbSent(gate, start);
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

/** Whether a failure says that the origin's data is not what its record says, rather than that it did not arrive. */
function isWrongImage(cause: unknown): boolean {
  return cause instanceof DigestMismatch || (cause instanceof ImageBodyError && cause.problem.reason === "long");
}
