/**
 * One Fill, as src/fill/object/fill.ts does it: what it answers, when its readers have their turns, what it does by the clock
 * and when it begins anew are the real rules; here is what calls them, and the object's one thread.
 */
import { answer } from "../../src/fill/object/answer.ts";
import { duty } from "../../src/fill/object/duty.ts";
import type { Event } from "../../src/fill/object/events.ts";
import type { BufferPool } from "../../src/fill/object/pool.ts";
import { Readers } from "../../src/fill/object/readers.ts";
import { step } from "../../src/fill/object/rules.ts";
import { type FillState, isRunning, newFill } from "../../src/fill/object/state.ts";
import { HEARTBEAT_MS } from "../../src/fill/object/times.ts";
import type { Answer, Ask, Subject } from "../../src/fill/protocol.ts";
import { planSlices, sliceCount } from "../../src/store/slice-plan.ts";
import { type PullParts, SimulatedPull } from "./pull.ts";

/** CLEAN_STALL_SECONDS as it is set by default, ms. */
const STALE_MS = 86_400_000;
/** A pause of the one put before each slice while clients read (src/fill/object/putting.ts). */
const GIVE_WAY_MS = 20;

export interface FillParts extends PullParts {
  readonly pool: BufferPool;
  /** The setting SLICE_BYTES. */
  readonly sliceBytes: number;
  /** Each put of the Fill's state: a row. */
  readonly written: () => void;
}

/** What a call comes back with: "lost" when the object was reset meanwhile. */
export type Told = Answer | "lost";

interface Waiting {
  readonly look: () => void;
  readonly lose: () => void;
}

export class SimulatedFill {
  readonly #parts: FillParts;
  readonly #subject: Subject;
  #state: FillState;
  #readers = new Readers();
  readonly #waiting = new Set<Waiting>();
  #pull: SimulatedPull | null = null;
  #beginning: (() => void)[] | null = null;
  #putting = false;
  #tickAt = Number.POSITIVE_INFINITY;
  #life = 0;
  /** Attempts that were begun. */
  begun = 0;
  /** The attempt that R2 holds the image of. */
  keptAttempt: string | null = null;

  constructor(parts: FillParts, subject: Subject) {
    this.#parts = parts;
    this.#subject = subject;
    this.#state = newFill(subject.imageId);
  }

  get state(): FillState {
    return this.#state;
  }

  /** Slices of this attempt that are in R2. */
  slicesOf(attempt: string): number {
    const { phase } = this.#state;
    if (phase.is === "idle" || phase.is === "failed" || phase.attempt !== attempt) return 0;
    return phase.is === "kept" && !phase.slices ? 0 : phase.stored;
  }

  /** A reader's question, as it arrives at the object. @param told in the object's own time, before the way back */
  follow(ask: Ask, waitMs: number, told: (answer: Told) => void): void {
    const { clock, thread, platform } = this.#parts;
    const until = clock.now + waitMs;
    const life = this.#life;
    let over = false;
    const reply = (answer: Told) => {
      over = true;
      // Who has waited is one more thing to do for the thread.
      const waited = this.#waiting.delete(waiting);
      if (waited) clock.at(thread.job(platform.callMs / 2), () => told(answer));
      else told(answer);
    };
    const look = () => {
      if (over) return;
      if (life !== this.#life) return reply("lost");
      const now = clock.now;
      this.#readers.saw(ask.reader, now);
      const say = answer(this.#state, ask, now);
      switch (say.do) {
        case "begin":
          return this.#begin(look);
        case "replace":
          throw new Error("one image has one content here");
        case "read":
          return reply({ ...say, began: false, askAgainMs: this.#readers.turn(now) });
        case "wait":
          this.#startPull();
          if (now >= until) return reply({ ...say, askAgainMs: this.#readers.turn(now) });
          this.#waiting.add(waiting);
          return;
        default:
          return reply(say);
      }
    };
    const waiting: Waiting = { look, lose: () => reply("lost") };
    clock.at(thread.job(platform.callMs), look);
    if (waitMs > 0) clock.at(until, look);
  }

  /** The object is made anew: its memory is gone, and what waited at it. */
  reset(): void {
    this.#life++;
    this.#pull?.abort();
    this.#parts.clock.wake();
    this.#pull = null;
    this.#putting = false;
    this.#beginning = null;
    this.#readers = new Readers();
    for (const { lose } of [...this.#waiting]) lose();
    this.#apply({ on: "restarted" });
  }

  /** Looks at what R2 holds, and begins; all who come meanwhile wait for it. */
  #begin(then: () => void): void {
    const { clock, gets, count } = this.#parts;
    if (this.#beginning !== null) return void this.#beginning.push(then);
    this.#beginning = [then];
    count("get");
    clock.at(clock.now + gets.next(), () => {
      const waited = this.#beginning ?? [];
      this.#beginning = null;
      const sliceBytes = planSlices(this.#subject.size, this.#parts.sliceBytes);
      const attempt = `attempt-${++this.begun}`;
      this.#apply({ on: "begin", subject: this.#subject, attempt, sliceBytes, partBytes: null });
      for (const look of waited) look();
    });
  }

  #apply(event: Event): void {
    const { state, effects } = step(this.#state, event, this.#parts.clock.now);
    if (state !== this.#state) {
      this.#state = state;
      this.#parts.written();
      for (const { look } of [...this.#waiting]) look();
    }
    if (state.phase.is === "kept") this.keptAttempt = state.phase.attempt;
    if (effects.some((effect) => effect.do === "pull")) this.#startPull();
    this.#schedule();
  }

  #startPull(): void {
    const { phase } = this.#state;
    if (this.#pull !== null || phase.is !== "filling" || this.#parts.clock.now < phase.notBefore) return;
    const { attempt } = phase;
    const pull = new SimulatedPull(this.#parts, phase, (stored) =>
      this.#apply({ on: "stored", attempt, stored, fetched: 0, sums: [] }),
    );
    this.#pull = pull;
    this.#parts.clock.wake();
    void pull.run().then((end) => {
      if (this.#pull !== pull) return;
      this.#pull = null;
      if (end === "broken") this.#apply({ on: "broken", attempt, fetched: 0, by: "origin" });
    });
  }

  /** Rings when something is due, and each 5 s at least while it is at work. */
  #schedule(): void {
    const { clock } = this.#parts;
    const due = this.#duty();
    if (due.do === "forget") return;
    const beat = clock.now + HEARTBEAT_MS;
    const at = due.do === "wait" ? (isRunning(this.#state.phase) ? Math.min(due.until, beat) : due.until) : beat;
    if (this.#tickAt <= at && this.#tickAt > clock.now) return;
    this.#tickAt = at;
    clock.at(at, () => {
      if (this.#tickAt !== at) return;
      this.#tickAt = Number.POSITIVE_INFINITY;
      this.#tick();
    });
  }

  #duty(): ReturnType<typeof duty> {
    const { now } = this.#parts.clock;
    return duty(this.#state, STALE_MS, now, this.#readers.count(now));
  }

  #tick(): void {
    const { pool, owner } = this.#parts;
    pool.heard(owner);
    const due = this.#duty();
    if (due.do === "pull") this.#startPull();
    if (due.do === "put") this.#put();
    if (due.do === "sweep-slices") this.#apply({ on: "swept", attempt: due.attempt });
    this.#schedule();
  }

  /** The one put: it reads one slice after the other, and gives way to readers. */
  #put(): void {
    const { clock, gets, puts, count } = this.#parts;
    const { phase } = this.#state;
    if (this.#putting || phase.is !== "complete") return;
    this.#putting = true;
    const { attempt } = phase;
    this.#apply({ on: "putting", attempt });
    let took = gets.next() + puts.next();
    count("put");
    count("get");
    for (let slice = 0; slice < sliceCount(phase); slice++) {
      count("get");
      took += gets.next() + (this.#readers.count(clock.now) > 0 ? GIVE_WAY_MS : 0);
    }
    const life = this.#life;
    clock.at(clock.now + took, () => {
      if (life !== this.#life) return;
      this.#putting = false;
      this.#apply({ on: "put", attempt, answer: "kept" });
    });
  }
}
