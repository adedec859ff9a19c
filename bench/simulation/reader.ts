/**
 * One machine's download through a Fill, as src/download/reader.ts does it: asks, sends what is stored, some slices opened
 * ahead, and asks again at its turn.
 */
import { sendableTo } from "../../src/download/held-back.ts";
import { AHEAD, BACK_AFTER_MS, FIRST_WAIT_MS, LOOK_MS, WAIT_MS } from "../../src/download/pace.ts";
import type { Ask, Cut, Subject } from "../../src/fill/protocol.ts";
import { sliceAt, sliceCount, sliceLength, sliceStart } from "../../src/store/slice-plan.ts";
import type { Clock } from "./clock.ts";
import type { Drawn } from "./drawn.ts";
import type { SimulatedFill, Told } from "./fill.ts";
import type { Platform } from "./platform.ts";
import type { Thread } from "./resources.ts";

const MIB = 2 ** 20;
/** Pauses before further tries of a call that was lost (AGAIN_MS in src/fill/client.ts). */
const AGAIN_MS = [50, 500];

export interface ReaderParts {
  readonly clock: Clock;
  readonly platform: Platform;
  readonly fill: SimulatedFill;
  readonly subject: Subject;
  readonly gets: Drawn;
  /** The machine's own line, bytes/ms. */
  readonly bytesPerMs: number;
  /** Until the origin has allowed the download, ms. */
  readonly permissionMs: number;
  /** Null: this reader's bytes take nothing of the thread. */
  readonly thread: Thread | null;
  readonly count: (what: "get") => void;
  /** A call arrives at the Fill; the first one of a reader, or one at its turn. */
  readonly called: (which: "first" | "turn") => void;
  readonly ended: (reader: SimulatedReader) => void;
}

export class SimulatedReader {
  readonly #parts: ReaderParts;
  readonly #name: string;
  readonly arrivedAt: number;
  firstByteAt: number | null = null;
  doneAt: number | null = null;
  /** Why it left the fill for the origin; null: it did not. */
  alone: string | null = null;
  #cut: Cut | null = null;
  #attempt: string | null = null;
  #position = 0;
  #stored = 0;
  #askAgainAt = 0;
  #asked = false;
  #tries = 1;
  #waitMs = FIRST_WAIT_MS;

  constructor(parts: ReaderParts, name: string, arrivesAt: number) {
    this.#parts = parts;
    this.#name = name;
    this.arrivedAt = arrivesAt;
    parts.clock.at(arrivesAt + parts.permissionMs, () => this.#ask());
  }

  /** At its turn; one whose turn is far off looks in R2 meanwhile. */
  #ask(): void {
    const { clock } = this.#parts;
    const pause = this.#askAgainAt - clock.now;
    if (pause <= 0) this.#call(0);
    else clock.at(clock.now + Math.min(pause, LOOK_MS), () => (pause > LOOK_MS ? this.#look() : this.#call(0)));
  }

  #look(): void {
    const { clock, fill, gets, count } = this.#parts;
    const cut = this.#cut;
    if (cut === null || this.#stored >= sliceCount(cut)) {
      this.#ask();
      return;
    }
    const there = fill.slicesOf(cut.attempt);
    const from = this.#stored;
    // Before its first byte one question is enough; then it sends as it finds.
    const found = this.#position === 0 ? Math.min(1, there) : Math.max(0, there - from);
    let tried = this.#position === 0 ? 1 : this.#tries;
    while (tried <= found) tried = 2 * tried + this.#tries;
    const inVain = Math.min(tried - found, AHEAD + 1, sliceCount(cut) - from - found);
    for (let n = 0; n < inVain; n++) count("get");
    if (this.#position === 0 && found > 0) count("get");
    if (this.#position > 0) this.#tries = found + 1;
    this.#stored += found;
    const looked = clock.now + gets.next();
    clock.at(this.#position > 0 && found > 0 ? clock.now : looked, () =>
      found > 0 ? this.#sendStored() : this.#ask(),
    );
  }

  /** @param tries that were in vain */
  #call(tries: number): void {
    const { clock, platform, fill, subject, called } = this.#parts;
    const hop = platform.hopMs / 2;
    const waitMs = this.#waitMs;
    const ask: Ask = {
      reader: this.#name,
      subject,
      attempt: this.#attempt,
      sent: this.#position > 0,
      at: this.#position,
      want: "whole",
    };
    const which = this.#asked ? "turn" : "first";
    this.#asked = true;
    let over = false;
    const once = (go: () => void) => {
      if (over) return;
      over = true;
      go();
    };
    clock.at(clock.now + hop, () => {
      called(which);
      fill.follow(ask, waitMs, (told) => clock.at(clock.now + hop, () => once(() => this.#told(told, tries))));
    });
    clock.at(clock.now + waitMs + platform.patienceMs, () => once(() => this.#goAlone("fill-unavailable")));
  }

  #told(told: Told, tries: number): void {
    const { clock } = this.#parts;
    if (told === "lost") {
      const pause = AGAIN_MS[tries];
      if (pause === undefined) this.#goAlone("fill-unavailable");
      else clock.at(clock.now + pause, () => this.#call(tries + 1));
      return;
    }
    this.#waitMs = WAIT_MS;
    switch (told.do) {
      case "read":
        this.#cut = told;
        this.#attempt = told.attempt;
        this.#stored = Math.max(this.#stored, told.stored);
        this.#askAgainAt = clock.now + told.askAgainMs;
        this.#sendStored();
        break;
      case "wait":
        if (this.#position === 0) {
          const { attempt, size, sliceBytes } = told;
          this.#attempt = attempt;
          this.#cut = size === undefined || sliceBytes === undefined ? null : { attempt, size, sliceBytes };
        }
        this.#askAgainAt = clock.now + told.askAgainMs;
        this.#ask();
        break;
      case "kept":
        this.#sendKept();
        break;
      case "alone":
      case "failed":
      case "cut":
        // What its client has may be of the attempt that is kept.
        if (this.#position > 0 && this.#parts.fill.keptAttempt === this.#attempt) this.#sendKept();
        else this.#goAlone(told.why);
        break;
      default:
        throw new Error(`a reader is told ${told.do}`);
    }
  }

  #goAlone(why: string): void {
    this.alone = why;
    this.#parts.ended(this);
  }

  /** The rest, from the object. */
  #sendKept(): void {
    const { clock, gets, subject, bytesPerMs, count } = this.#parts;
    count("get");
    const begins = clock.now + gets.next();
    this.firstByteAt ??= begins;
    clock.at(begins + (subject.size - this.#position) / bytesPerMs, () => this.#done());
  }

  #done(): void {
    this.doneAt = this.#parts.clock.now;
    this.#parts.ended(this);
  }

  #knowsMore(): boolean {
    return this.#cut !== null && sendableTo(this.#cut, this.#stored, 0, this.#cut.size) > this.#position;
  }

  #sendStored(): void {
    const { clock, fill, thread } = this.#parts;
    const cut = this.#cut;
    if (cut === null) throw new Error("nothing is known of the fill");
    const { phase } = fill.state;
    // Its slices have gone: the rest comes from the object.
    if (phase.is === "idle" || (phase.is === "kept" && !phase.slices)) {
      this.#sendKept();
      return;
    }
    if (!this.#knowsMore()) {
      this.#ask();
      return;
    }
    const to = sendableTo(cut, this.#stored, 0, cut.size);
    if (thread !== null) this.#sendByThread(cut, to, thread, clock.now + BACK_AFTER_MS);
    else clock.at(this.#sendNatively(cut, to), () => this.#sent());
  }

  #sent(): void {
    if (this.#position >= this.#parts.subject.size) this.#done();
    // Its turn has not come, and it knows of more.
    else if (this.#knowsMore() && this.#parts.clock.now < this.#askAgainAt) this.#sendStored();
    else this.#ask();
  }

  /** Slice after slice, over the machine's own line. @returns when it comes back */
  #sendNatively(cut: Cut, to: number): number {
    const { clock, gets, bytesPerMs, count } = this.#parts;
    const backAt = clock.now + BACK_AFTER_MS;
    /** When the slices before ended: a slice is opened when the one so far before it has. */
    const ends: number[] = [];
    let end = clock.now;
    const first = sliceAt(cut, this.#position);
    for (let slice = first; this.#position < to && end < backAt; slice++) {
      count("get");
      const opened = ends[slice - first - AHEAD - 1] ?? clock.now;
      const begins = Math.max(end, opened + gets.next());
      this.firstByteAt ??= begins;
      const bytes = Math.min(sliceLength(cut, slice), to - sliceStart(cut, slice));
      end = begins + bytes / bytesPerMs;
      ends.push(end);
      this.#position += bytes;
    }
    return end;
  }

  /** The same where one thread sends for all: slice after slice in the order in which it comes to them. */
  #sendByThread(cut: Cut, to: number, thread: Thread, backAt: number): void {
    const { clock, gets, platform, count } = this.#parts;
    if (this.#position >= to || clock.now >= backAt) {
      this.#sent();
      return;
    }
    const bytes = sliceLength(cut, sliceAt(cut, this.#position));
    const { getMs = 0, sendMsPerMib = 0 } = platform.oneThread ?? {};
    count("get");
    const opened = Math.max(clock.now + gets.next(), thread.job(getMs));
    clock.at(opened, () => {
      this.firstByteAt ??= clock.now;
      clock.at(thread.job((bytes / MIB) * sendMsPerMib), () => {
        this.#position += bytes;
        this.#sendByThread(cut, to, thread, backAt);
      });
    });
  }
}
