/**
 * A model of the world around one fill, for searching through what can happen to it: R2, readers with clients, one pull, one
 * put, and what a new object does not remember. The rules of src/fill/object/rules.ts are the real ones; who calls them is
 * modelled after the Fill, its pull, its commit and its readers. A slice is true or wrong bytes.
 */
import { answer, type Say } from "../../src/fill/object/answer.ts";
import { duty } from "../../src/fill/object/duty.ts";
import type { Effect, Event } from "../../src/fill/object/events.ts";
import { step } from "../../src/fill/object/rules.ts";
import { type FillState, isStopped, newFill } from "../../src/fill/object/state.ts";
import type { Subject } from "../../src/fill/protocol.ts";
import { asks, IMAGE_ID, NOW, SUBJECT } from "./fill-states.ts";
import { must } from "./fill-violation.ts";

export const STALE_MS = 24 * 3_600_000;
/** How often a reader says that it did not find what is kept (src/download/reader.ts). */
const MISSES = 2;
/**
 * A put of a slice that takes longer hangs (src/fill/object/pull.ts). One that a new object does not know of lands within
 * this time, or never: what it sent came from the old one.
 */
export const PUT_MS = 60_000;

/** `wrong`: a pull whose bytes are wrong; the others are what their names say. */
export type Misfortune =
  | "wrong"
  | "break"
  | "hang"
  | "refuse"
  | "store-fails"
  | "no-room"
  | "put-fails"
  | "answer-lost"
  | "object-lost"
  | "restart"
  | "stop"
  | "leave";

type Outcome = "done" | "alone" | "cut" | "failed" | "forward" | "left";

export interface Reader {
  outcome: Outcome | null;
  /** What it does next. */
  next: "ask" | "send" | "open";
  /** The attempt that it follows, and how many slices of it it knows to be stored; of `cut` it has the plan. */
  attempt: string | null;
  cut: string | null;
  stored: number;
  /** Whole slices that its client has, of which attempt, and whether they are the image's. */
  position: number;
  of: string | null;
  clean: boolean;
  missed: string | null;
  misses: number;
  refused: boolean;
}

interface SlicePut {
  readonly attempt: string;
  readonly slice: number;
  readonly good: boolean;
  /** When it began, ms since the epoch. */
  readonly since: number;
}

export interface Pull {
  readonly attempt: string;
  /** What the origin gives it: all true, or all wrong. */
  good: boolean;
  next: number;
  put: SlicePut | null;
  aborted: boolean;
}

/** A put that nobody remembers: it may still land until then. */
interface Late {
  readonly put: SlicePut | { readonly attempt: string; readonly object: true };
  readonly by: number;
}

export class World {
  now = NOW;
  state: FillState = newFill(IMAGE_ID);
  /** Attempt to its slices. */
  slices: Record<string, (boolean | null)[]> = {};
  object: string | null = null;
  /** The attempt that the index names. */
  index: string | null = null;
  /** Attempts that have taken room. */
  room: string[] = [];
  readers: Reader[];
  attempts = 0;
  left: Record<Misfortune, number>;
  late: Late[] = [];
  /** Somebody who is no Fill has removed an object: the index names it until somebody looks. */
  stranger = false;
  // From here on: what a new object does not remember.
  lender: number | null = null;
  pull: Pull | null = null;
  /** The attempt whose one put is under way. */
  put: string | null = null;
  /** Attempts that are dropped when the pull has ended. */
  drops: string[] = [];

  readonly count: number;
  readonly #subject: Subject;

  /** @param count slices of the image, one byte each */
  constructor(readers: number, count: number, left: Record<Misfortune, number>) {
    this.left = left;
    this.count = count;
    this.#subject = { ...SUBJECT, size: count };
    this.readers = Array.from({ length: readers }, () => ({
      outcome: null,
      next: "ask",
      attempt: null,
      cut: null,
      stored: 0,
      position: 0,
      of: null,
      clean: true,
      missed: null,
      misses: 0,
      refused: false,
    }));
  }

  clone(): World {
    const copy = new World(0, this.count, { ...this.left });
    copy.now = this.now;
    copy.state = this.state;
    copy.slices = Object.fromEntries(Object.entries(this.slices).map(([name, all]) => [name, [...all]]));
    copy.object = this.object;
    copy.index = this.index;
    copy.room = [...this.room];
    copy.readers = this.readers.map((reader) => ({ ...reader }));
    copy.attempts = this.attempts;
    copy.late = [...this.late];
    copy.stranger = this.stranger;
    copy.lender = this.lender;
    copy.pull = this.pull === null ? null : { ...this.pull };
    copy.put = this.put;
    copy.drops = [...this.drops];
    return copy;
  }

  // The Fill.

  apply(event: Event): void {
    const { state, effects } = step(this.state, event, this.now);
    this.state = state;
    for (const effect of effects) this.#do(effect);
  }

  #do(effect: Effect): void {
    switch (effect.do) {
      case "pull":
        this.startPull();
        return;
      case "abort-pull":
        if (this.pull === null) return;
        this.pull.aborted = true;
        if (this.pull.put === null) this.endPull();
        return;
      case "drop":
        this.#drop(effect.attempt);
        return;
      case "remove-object":
        this.object = null;
        this.index = null;
        return;
      case "index":
        this.index = effect.filling.attempt;
        return;
      case "queue-failed":
        return;
    }
  }

  isCurrent(attempt: string): boolean {
    const { phase } = this.state;
    return (phase.is === "filling" || phase.is === "complete" || phase.is === "kept") && phase.attempt === attempt;
  }

  #drop(attempt: string): void {
    if (this.pull?.attempt === attempt && !this.isCurrent(attempt)) {
      this.drops.push(attempt);
      return;
    }
    delete this.slices[attempt];
    this.room = this.room.filter((name) => name !== attempt);
  }

  #removeStopped(attempts: readonly string[]): void {
    if (this.object !== null && attempts.includes(this.object)) {
      this.object = null;
      this.index = null;
    }
    for (const attempt of attempts) this.#drop(attempt);
  }

  #begin(): void {
    if (this.object !== null && !isStopped(this.state, this.object)) {
      this.apply({ on: "found", kept: { attempt: this.object, subject: this.#subject } });
      return;
    }
    this.object = null;
    this.apply({ on: "begin", subject: this.#subject, attempt: `a${this.attempts++}`, sliceBytes: 8, partBytes: null });
  }

  startPull(): void {
    const { phase } = this.state;
    if (this.pull !== null || phase.is !== "filling" || this.now < phase.notBefore || this.lender === null) return;
    const { attempt, stored } = phase;
    this.pull = { attempt, good: true, next: stored, put: null, aborted: false };
    if (!this.room.includes(attempt)) this.room.push(attempt);
    this.apply({ on: "room", attempt, answer: "had" });
  }

  endPull(): void {
    this.pull = null;
    for (const attempt of this.drops.splice(0)) this.#drop(attempt);
    this.startPull();
  }

  /** The pull's next slice goes to R2; the last one only if the digest of the whole agrees. */
  beginSlice(pull: Pull): void {
    const { attempt, next, good } = pull;
    const before = (this.slices[attempt] ?? []).slice(0, next);
    if (next === this.count - 1 && !(good && before.every((slice) => slice === true))) {
      this.apply({ on: "mismatched", attempt });
      if (this.pull === pull) this.endPull();
      return;
    }
    pull.put = { attempt, slice: next, good, since: this.now };
  }

  #store({ attempt, slice, good }: SlicePut): void {
    this.slices[attempt] ??= Array.from({ length: this.count }, () => null);
    const there = this.slices[attempt];
    if (there[slice] === null || there[slice] === undefined) there[slice] = good;
  }

  sliceStored(pull: Pull): void {
    const { attempt, put } = pull;
    if (put === null) return;
    this.#store(put);
    pull.put = null;
    pull.next++;
    this.apply({ on: "stored", attempt, stored: pull.next, fetched: pull.next, sums: [] });
    if (this.pull === pull && (pull.next === this.count || pull.aborted)) this.endPull();
  }

  /** The one put begins. */
  #commit(attempt: string): void {
    if (this.put !== null) return;
    this.apply({ on: "putting", attempt });
    if (this.object !== null) {
      const mine = this.object === attempt;
      if (!mine) this.object = null;
      this.apply({ on: "put", attempt, answer: mine ? "kept" : "unknown" });
      return;
    }
    const slices = this.slices[attempt] ?? [];
    if (slices.length < this.count || slices.includes(null)) {
      this.apply({ on: "failed", attempt, why: "fill-stopped", keep: false });
    } else if (slices.includes(false)) {
      this.apply({ on: "put", attempt, answer: "wrong-digest" });
    } else {
      this.put = attempt;
    }
  }

  putEnded(how: "landed" | "answer-lost" | "failed"): void {
    const attempt = this.put;
    if (attempt === null) return;
    this.put = null;
    const created = how !== "failed" && this.object === null;
    if (created) this.object = attempt;
    if (how !== "landed") this.apply({ on: "put", attempt, answer: "unknown" });
    else if (!this.isCurrent(attempt)) this.#removeStopped([attempt]);
    else this.apply({ on: "put", attempt, answer: created ? "kept" : "unknown" });
  }

  lateLands(late: Late): void {
    this.late = this.late.filter((other) => other !== late);
    if ("slice" in late.put) this.#store(late.put);
    else this.object ??= late.put.attempt;
  }

  restart(): void {
    const by = this.now + PUT_MS;
    if (this.pull?.put != null) this.late.push({ put: this.pull.put, by });
    if (this.put !== null) this.late.push({ put: { attempt: this.put, object: true }, by });
    this.pull = null;
    this.put = null;
    this.drops = [];
    this.lender = null;
    for (const reader of this.readers) reader.refused = false;
    this.apply({ on: "restarted" });
  }

  loseObject(): void {
    this.object = null;
    this.stranger = true;
  }

  /** The origin refuses the rights that the pull has. */
  refuse(): void {
    const lender = this.lender === null ? undefined : this.readers[this.lender];
    if (lender !== undefined) lender.refused = true;
    this.lender = null;
    this.endPull();
  }

  break(pull: Pull): void {
    this.apply({ on: "broken", attempt: pull.attempt, fetched: pull.next, by: "origin" });
    // Unless it was aborted, and has ended, by that.
    if (this.pull === pull) this.endPull();
  }

  /** The put of a slice hangs: only a new object can go on. */
  hang(pull: Pull): void {
    this.now = Math.max(this.now, (pull.put?.since ?? 0) + PUT_MS);
    this.apply({ on: "broken", attempt: pull.attempt, fetched: pull.next, by: "store" });
    this.restart();
  }

  /** The alarm rings: what is due is done, or time goes on to when something is. @returns false when all is over */
  alarm(): boolean {
    const due = duty(this.state, STALE_MS, this.now);
    switch (due.do) {
      case "wait":
        must(due.until > this.now, "ends", "an alarm that rings at once, for ever");
        this.now = due.until;
        return true;
      case "pull": {
        const before = this.pull;
        this.startPull();
        // Nobody's rights: nothing but time goes on.
        if (this.pull === before && before === null) this.now += STALE_MS / 8;
        return true;
      }
      case "put":
        if (this.state.phase.is === "complete") this.#commit(this.state.phase.attempt);
        return true;
      case "sweep-slices":
        this.#drop(due.attempt);
        this.apply({ on: "swept", attempt: due.attempt });
        return true;
      case "bury": {
        const attempts = due.attempts.filter((attempt) => attempt !== this.put);
        this.apply({ on: "burying", attempts: due.attempts });
        this.#removeStopped(attempts);
        this.apply({ on: "buried", attempts });
        return true;
      }
      case "stop":
        this.apply({ on: "stop", read: false });
        return true;
      case "forget":
        this.state = newFill(IMAGE_ID);
        this.lender = null;
        return false;
    }
  }

  // A reader.

  ask(index: number): void {
    const reader = this.readers[index];
    if (reader === undefined) return;
    if (reader.missed !== null) this.#look();
    const { attempt, position, missed: _ } = reader;
    reader.missed = null;
    let asked = attempt;
    for (let loops = 0; ; loops++) {
      must(loops < 9, "ends", "an ask that goes round and round");
      const say = answer(
        this.state,
        asks({ subject: this.#subject, attempt: asked, sent: position > 0, at: position }),
        this.now,
      );
      if (say.do === "begin") this.#begin();
      else if (say.do === "replace") throw new Error("there is one content only");
      else if (say.do === "wait" && !reader.refused && this.pull === null && this.lender === null) {
        this.lender = index;
        this.startPull();
      } else {
        this.#told(reader, say);
        return;
      }
      if (say.do === "wait" && position === 0) asked = say.attempt;
    }
  }

  #look(): void {
    const { phase } = this.state;
    if (phase.is === "kept" && this.object !== phase.attempt) this.apply({ on: "lost", attempt: phase.attempt });
  }

  #told(reader: Reader, say: Exclude<Say, { do: "begin" | "replace" }>): void {
    switch (say.do) {
      case "read":
        if (reader.cut !== null && reader.cut !== say.attempt && reader.position > 0) {
          reader.outcome = "cut";
          return;
        }
        reader.attempt = say.attempt;
        reader.cut = say.attempt;
        reader.stored = say.stored;
        reader.next = reader.stored > reader.position ? "send" : "ask";
        return;
      case "kept":
        reader.attempt = say.attempt;
        reader.next = "open";
        return;
      case "wait":
        if (reader.refused) reader.outcome = reader.position > 0 ? "cut" : "forward";
        if (reader.position === 0 && reader.attempt !== say.attempt) {
          reader.attempt = say.attempt;
          reader.cut = null;
        }
        reader.next = "ask";
        return;
      case "alone": {
        // What its client has is digested again from its attempt's slices, and the rest goes through a gate of its own.
        const there = (reader.cut === null ? [] : (this.slices[reader.cut] ?? [])).slice(0, reader.position);
        const proven = there.length === reader.position && there.every((slice) => slice === true);
        reader.outcome = reader.position === 0 || proven ? "alone" : "cut";
        return;
      }
      case "failed":
        reader.outcome = "failed";
        return;
      case "cut":
        reader.outcome = "cut";
        return;
      default:
        throw new Error(`a whole download of a caller with rights is told ${say.do}`);
    }
  }

  send(reader: Reader): void {
    const slice = reader.cut === null ? null : (this.slices[reader.cut]?.[reader.position] ?? null);
    if (slice === null) {
      // Told of it, and it is gone: it moves over to the object.
      if (!this.#sendObject(reader)) reader.next = "ask";
      return;
    }
    this.#give(reader, reader.cut ?? "", slice);
    reader.position++;
    reader.next = reader.position < reader.stored ? "send" : "ask";
    if (reader.position === this.count) this.#end(reader);
  }

  open(reader: Reader): void {
    if (this.#sendObject(reader)) return;
    if (reader.misses++ >= MISSES) {
      reader.outcome = "cut";
      return;
    }
    reader.missed = reader.attempt;
    reader.next = "ask";
  }

  #sendObject(reader: Reader): boolean {
    if (this.object === null || !(reader.position === 0 || this.object === reader.attempt)) return false;
    this.#give(reader, this.object, true);
    this.#end(reader);
    return true;
  }

  #give(reader: Reader, attempt: string, good: boolean): void {
    must(reader.of === null || reader.of === attempt, "one-attempt", `bytes of ${reader.of} and ${attempt}`);
    reader.of = attempt;
    reader.clean &&= good;
  }

  #end(reader: Reader): void {
    must(reader.clean, "agreed", "a client has the whole of a wrong image");
    reader.outcome = "done";
  }
}
