/**
 * A reader of an image's fill: sends what is stored, natively, asks the Fill what comes next, and moves over to the kept
 * object when the slices have gone. Its client never gets bytes of two attempts, and never its last ones before the digest of
 * the whole has agreed: the last slice of the image is stored only then, and a part that ends earlier waits for it.
 */
import { Digester } from "../digest/digester.ts";
import type { FillClient } from "../fill/client.ts";
import type { Answer, Cut, FillProblem, Rights, Subject } from "../fill/protocol.ts";
import type { Log } from "../lib/log.ts";
import type { ObjectStore } from "../store/objects.ts";
import type { PartStore } from "../store/parts.ts";
import { partsOf, sliceCount, sliceStart } from "../store/slice-plan.ts";
import type { SliceStore } from "../store/slices.ts";
import { Following } from "./following.ts";
import { InParts, PartMissing } from "./in-parts.ts";
import { LookAhead } from "./look-ahead.ts";
import { openKept } from "./open-kept.ts";
import { LOOK_MS } from "./pace.ts";
import type { ByteRange } from "./range.ts";
import { StoredSlices } from "./stored-slices.ts";

/** How often a reader may say that it did not find what it was told of. */
const MISSES = 2;

/** What the client has can't be completed. */
class Unfinishable extends Error {
  override readonly name = "Unfinishable";
}

export interface ReaderJob {
  readonly subject: Subject;
  /** Null: the whole image. */
  readonly range: ByteRange | null;
  readonly rights: () => Rights;
  readonly fill: FillClient;
  readonly slices: SliceStore;
  readonly objects: ObjectStore;
  readonly parts: PartStore;
  readonly signal: AbortSignal;
  readonly log: Log;
}

/** How a download through a fill begins. */
export type First = { readonly do: "send" } | Exclude<Answer, { do: "read" | "kept" | "wait" | "lend" }>;

export class Reader {
  readonly #job: ReaderJob;
  readonly #following: Following;
  readonly #end: number;
  readonly #whole: boolean;
  readonly #ahead: LookAhead;
  #position: number;
  readonly #start: number;
  #misses = 0;

  constructor(job: ReaderJob) {
    this.#job = job;
    const { from, to } = job.range ?? { from: 0, to: job.subject.size };
    this.#whole = job.range === null;
    this.#start = from;
    this.#position = from;
    this.#end = to;
    const { slices, subject, log, rights, fill } = job;
    this.#following = new Following({ subject, rights, fill, from, to, whole: this.#whole });
    this.#ahead = new LookAhead({ slices, imageId: subject.imageId, log });
  }

  /** Bytes that were sent, as whole pieces. */
  get sent(): number {
    return this.#position - this.#start;
  }

  /** Whether the fill was begun for this reader. */
  get began(): boolean {
    return this.#following.began;
  }

  /** The origin can't give a part by itself: this one waits for the fill however far ahead it is. */
  insist(): void {
    this.#following.insist();
  }

  /** Follows the fill until the first bytes are there, or something else is to be done. */
  async first(): Promise<First> {
    for (;;) {
      if (this.#job.signal.aborted) throw new Unfinishable("the client left");
      if (await this.#untilTurn((cut) => this.#ahead.hasFirst(cut))) {
        this.#following.found(1);
        return { do: "send" };
      }
      const answer = await this.#following.ask(this.#position);
      switch (answer.do) {
        case "read":
          if (this.#knowsMore()) return { do: "send" };
          break;
        case "kept":
          // Whether it is there shows when it is opened.
          return { do: "send" };
        case "wait":
        case "lend":
          break;
        default:
          return answer;
      }
    }
  }

  /**
   * Sends the rest. Bytes go into the writable natively.
   * @throws Unfinishable when the client can't be given all; whatever a broken pipe throws
   */
  async run(writable: WritableStream<Uint8Array>): Promise<void> {
    try {
      while (this.#position < this.#end) {
        const moved = this.#following.isKept ? "missing" : await this.#sendStored(writable);
        if (this.#position >= this.#end) break;
        if (moved === "missing") {
          if (await this.#sendKept(writable)) break;
          this.#miss();
        } else if (this.#knowsMore() && this.#following.pause > 0) {
          // It knows of more, and its turn has not come.
          continue;
        }
        if (this.#job.signal.aborted) throw new Unfinishable("the client left");
        if (await this.#untilTurn((cut) => this.#sendFurther(writable, cut))) continue;
        const answer = await this.#following.ask(this.#position);
        switch (answer.do) {
          case "read":
          case "wait":
          case "lend":
            break;
          case "kept":
            if (!(await this.#sendKept(writable))) this.#miss();
            break;
          case "alone":
            if (await this.#sendRest(writable)) break;
            throw new GoAlone(answer.why);
          case "origin":
          case "forward":
            throw new Unfinishable("the origin refused this client's rights while it was being sent to");
          case "failed":
          case "cut":
            if (await this.#sendRest(writable)) break;
            throw new Unfinishable(`the fill ended: ${answer.why}`);
        }
      }
      await writable.close();
    } finally {
      await this.leave();
    }
  }

  /** Tells the Fill that it has one reader less. */
  leave(): Promise<void> {
    return this.#following.leave();
  }

  /** A digester that has seen what this reader's client has, read from its attempt once more. @throws Unfinishable */
  async digestSent(): Promise<Digester> {
    const { subject, slices, log } = this.#job;
    if (!this.#whole) throw new Unfinishable("a part can't be proven without the whole");
    const digester = new Digester(subject.digest.algorithm);
    if (this.#position === 0) return digester;
    const { cut } = this.#following;
    if (cut === null) throw new Unfinishable("what was sent can't be proven any more");
    const stored = new StoredSlices({ slices, imageId: subject.imageId, cut, log });
    for (const part of partsOf(cut, 0, this.#position)) {
      const body = await stored.open(part);
      if (body === null) throw new Unfinishable("what was sent is gone");
      await digester.absorb(body);
    }
    return digester;
  }

  /** Until its turn. Where that is far off it looks for more by itself. @returns whether it found any */
  async #untilTurn(look: (cut: Cut) => Promise<boolean>): Promise<boolean> {
    for (;;) {
      const { pause } = this.#following;
      if (this.#job.signal.aborted) throw new Unfinishable("the client left");
      if (pause <= 0) return false;
      await scheduler.wait(Math.min(pause, LOOK_MS));
      const { cut, stored } = this.#following;
      // A part waits for the last slice, and one that missed a slice for the Fill's word.
      if (pause <= LOOK_MS || !this.#whole || cut === null || this.#knowsMore()) continue;
      // Parts of what is kept may have brought it past what it knows of.
      if (stored >= sliceCount(cut) || this.#position !== sliceStart(cut, stored)) continue;
      if (await look(cut)) return true;
    }
  }

  #knowsMore(): boolean {
    return this.#following.sendable(this.#position) > this.#position;
  }

  /** Sends what is there behind all that it was told of. @returns whether that was anything */
  async #sendFurther(writable: WritableStream<Uint8Array>, cut: Cut): Promise<boolean> {
    const found = await this.#ahead.send(writable, cut, this.#following.stored, (bytes) => {
      this.#position += bytes;
    });
    this.#following.found(found);
    return found > 0;
  }

  /** Sends what is stored; comes back after a while also when there is more. */
  async #sendStored(writable: WritableStream<Uint8Array>): Promise<"sent" | "missing"> {
    const { slices, subject, log } = this.#job;
    const { cut } = this.#following;
    if (cut === null) return "sent";
    const stored = new StoredSlices({ slices, imageId: subject.imageId, cut, log });
    return stored.send(writable, this.#position, this.#following.sendable(this.#position), (bytes) => {
      this.#position += bytes;
    });
  }

  /** It did not find what it was told of. @throws GoAlone when that is so again and again */
  #miss(): void {
    if (this.#misses++ >= MISSES) throw new GoAlone("store-unavailable");
    this.#following.missed();
  }

  /**
   * The fill is over for this reader, who may have been slow: its attempt may be kept by now, and its slices and the fill
   * forgotten.
   */
  async #sendRest(writable: WritableStream<Uint8Array>): Promise<boolean> {
    return this.sent > 0 && (await this.#sendKept(writable));
  }

  /** Sends all that is left from what is kept. @returns false when it is not there, or of another attempt */
  async #sendKept(writable: WritableStream<Uint8Array>): Promise<boolean> {
    const rest: ByteRange = { from: this.#position, to: this.#end };
    const open = await openKept(this.#job, rest, this.sent === 0 ? null : this.#following.attempt);
    if (open === null) return false;
    try {
      if (open instanceof InParts) {
        await open.send(writable, (bytes) => {
          this.#position += bytes;
        });
      } else {
        await open.pipeTo(writable, { preventClose: true, preventAbort: true });
        this.#position = this.#end;
      }
      return true;
    } catch (cause) {
      // The Fill is told, and may have it still as slices.
      if (cause instanceof PartMissing) return false;
      throw new Unfinishable("what is kept broke off", { cause });
    }
  }
}

/** The fill can't help this reader any more: what is left comes from the origin itself. */
export class GoAlone extends Error {
  override readonly name = "GoAlone";
  readonly why: FillProblem;

  constructor(why: FillProblem) {
    super(`the fill can't help: ${why}`);
    this.why = why;
  }
}
