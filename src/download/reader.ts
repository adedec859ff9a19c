/**
 * A reader of an image's fill: sends what is stored, natively, asks the Fill what comes next, and moves over to the kept
 * object when the slices have gone. Its client never gets bytes of two attempts, and never its last ones before the digest of
 * the whole has agreed: the last slice of the image is stored only then, and a part that ends earlier waits for it.
 */
import { Digester } from "../digest/digester.ts";
import type { FillClient } from "../fill/client.ts";
import type { Answer, Ask, Cut, FillProblem, Rights, Subject } from "../fill/protocol.ts";
import type { Log } from "../lib/log.ts";
import type { ObjectStore } from "../store/objects.ts";
import type { PartStore } from "../store/parts.ts";
import { partsOf, sliceCount } from "../store/slice-plan.ts";
import type { SliceStore } from "../store/slices.ts";
import { neededByte, sendableTo } from "./held-back.ts";
import { InParts, PartMissing } from "./in-parts.ts";
import { LookAhead } from "./look-ahead.ts";
import { openKept } from "./open-kept.ts";
import { LOOK_MS, WAIT_MS } from "./pace.ts";
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
  readonly #name = crypto.randomUUID();
  readonly #end: number;
  readonly #whole: boolean;
  readonly #ahead: LookAhead;
  #insists = false;
  #position: number;
  readonly #start: number;
  /** What it follows, from the first answer that named it. */
  #cut: Cut | null = null;
  #attempt: string | null = null;
  #stored = 0;
  #misses = 0;
  #began = false;
  #missed: string | null = null;
  #askAgainAt = 0;
  /** The first question is whether the Fill answers at all: one that hangs is to cost a download as little as can be. */
  #waitMs = 0;

  constructor(job: ReaderJob) {
    this.#job = job;
    const { from, to } = job.range ?? { from: 0, to: job.subject.size };
    this.#whole = job.range === null;
    this.#start = from;
    this.#position = from;
    this.#end = to;
    const { slices, subject, log } = job;
    this.#ahead = new LookAhead({ slices, imageId: subject.imageId, log });
  }

  /** Bytes that were sent, as whole pieces. */
  get sent(): number {
    return this.#position - this.#start;
  }

  /** Whether the fill was begun for this reader. */
  get began(): boolean {
    return this.#began;
  }

  /** The origin can't give a part by itself: this one waits for the fill however far ahead it is. */
  insist(): void {
    this.#insists = true;
  }

  /** Follows the fill until the first bytes are there, or something else is to be done. */
  async first(): Promise<First> {
    for (;;) {
      if (this.#job.signal.aborted) throw new Unfinishable("the client left");
      if (await this.#untilTurn((cut) => this.#ahead.hasFirst(cut))) {
        this.#stored = 1;
        return { do: "send" };
      }
      const answer = await this.#ask();
      switch (answer.do) {
        case "read":
          if (this.#sendable() > this.#position) return { do: "send" };
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
        // Told at once that it is kept: nothing but the object is known of it.
        const moved = this.#cut === null && this.#attempt !== null ? "missing" : await this.#sendStored(writable);
        if (this.#position >= this.#end) break;
        if (moved === "missing") {
          if (await this.#sendKept(writable)) break;
          this.#miss();
        } else if (this.#sendable() > this.#position && Date.now() < this.#askAgainAt) {
          // It knows of more, and its turn has not come.
          continue;
        }
        if (this.#job.signal.aborted) throw new Unfinishable("the client left");
        if (await this.#untilTurn((cut) => this.#sendFurther(writable, cut))) continue;
        const answer = await this.#ask();
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
    return this.#job.fill.left(this.#name);
  }

  /** A digester that has seen what this reader's client has, read from its attempt once more. @throws Unfinishable */
  async digestSent(): Promise<Digester> {
    const { subject, slices, log } = this.#job;
    if (!this.#whole) throw new Unfinishable("a part can't be proven without the whole");
    const digester = new Digester(subject.digest.algorithm);
    if (this.#position === 0) return digester;
    if (this.#cut === null) throw new Unfinishable("what was sent can't be proven any more");
    const stored = new StoredSlices({ slices, imageId: subject.imageId, cut: this.#cut, log });
    for (const part of partsOf(this.#cut, 0, this.#position)) {
      const body = await stored.open(part);
      if (body === null) throw new Unfinishable("what was sent is gone");
      await digester.absorb(body);
    }
    return digester;
  }

  /** Until its turn. Where that is far off it looks for more by itself. @returns whether it found any */
  async #untilTurn(look: (cut: Cut) => Promise<boolean>): Promise<boolean> {
    for (;;) {
      const pause = this.#askAgainAt - Date.now();
      if (pause <= 0 || this.#job.signal.aborted) return false;
      await scheduler.wait(Math.min(pause, LOOK_MS));
      const cut = this.#cut;
      // A part waits for the last slice, and one that missed a slice for the Fill's word.
      if (pause <= LOOK_MS || !this.#whole || cut === null || this.#sendable() > this.#position) continue;
      if (this.#stored < sliceCount(cut) && (await look(cut))) return true;
    }
  }

  /** Sends what is there behind all that it was told of. @returns whether that was anything */
  async #sendFurther(writable: WritableStream<Uint8Array>, cut: Cut): Promise<boolean> {
    const found = await this.#ahead.send(writable, cut, this.#stored, (bytes) => {
      this.#position += bytes;
    });
    this.#stored += found;
    return found > 0;
  }

  async #ask(): Promise<Answer> {
    const { fill, subject, rights } = this.#job;
    const ask: Ask = {
      reader: this.#name,
      subject,
      attempt: this.#attempt,
      sent: this.sent > 0,
      at: this.#cut === null ? this.#position : neededByte(this.#cut, this.#position, this.#start, this.#end),
      want: this.#whole ? "whole" : this.#insists || this.#cut !== null ? "insist" : "range",
      ...(this.#missed === null ? {} : { missed: this.#missed }),
    };
    this.#missed = null;
    let answer = await fill.follow(ask, this.#waitMs);
    if (answer.do === "lend") answer = await fill.follow({ ...ask, rights: rights() }, WAIT_MS);
    this.#waitMs = WAIT_MS;
    if (answer.do === "read") {
      // Only one that has no bytes yet may begin with another attempt.
      if (this.#cut !== null && this.#cut.attempt !== answer.attempt && this.sent > 0) {
        return { do: "cut", why: "fill-stopped" };
      }
      const { attempt, size, sliceBytes, stored } = answer;
      // It may have found more by itself.
      this.#stored = this.#cut?.attempt === attempt ? Math.max(this.#stored, stored) : stored;
      this.#cut = { attempt, size, sliceBytes };
      this.#began = answer.began;
    }
    if (answer.do === "read" || answer.do === "kept") this.#attempt = answer.attempt;
    if (answer.do === "wait" && this.sent === 0 && answer.attempt !== this.#attempt) {
      // What it was told of before is not what it follows now.
      const { attempt, size, sliceBytes } = answer;
      this.#attempt = attempt;
      this.#stored = 0;
      const isCut = this.#whole && size !== undefined && sliceBytes !== undefined;
      this.#cut = isCut ? { attempt, size, sliceBytes } : null;
    }
    // Nothing but the object is known of it.
    if (answer.do === "kept" && this.sent === 0) this.#cut = null;
    if (answer.do === "read" || answer.do === "wait") this.#askAgainAt = Date.now() + answer.askAgainMs;
    return answer;
  }

  /** The byte up to which can be sent now. */
  #sendable(): number {
    return this.#cut === null ? this.#position : sendableTo(this.#cut, this.#stored, this.#start, this.#end);
  }

  /** Sends what is stored; comes back after a while also when there is more. */
  async #sendStored(writable: WritableStream<Uint8Array>): Promise<"sent" | "missing"> {
    const { slices, subject, log } = this.#job;
    const cut = this.#cut;
    if (cut === null) return "sent";
    const stored = new StoredSlices({ slices, imageId: subject.imageId, cut, log });
    const to = Math.max(this.#position, this.#sendable());
    return stored.send(writable, this.#position, to, (bytes) => {
      this.#position += bytes;
    });
  }

  /** It did not find what it was told of. @throws GoAlone when that is so again and again */
  #miss(): void {
    if (this.#misses++ >= MISSES) throw new GoAlone("store-unavailable");
    this.#missed = this.#attempt;
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
    const open = await openKept(this.#job, rest, this.sent === 0 ? null : this.#attempt);
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
