/** What a reader knows of the fill that it follows: what the Fill has told it, and how much it found by itself. */
import type { FillClient } from "../fill/client.ts";
import type { Answer, Ask, Cut, Rights, Subject } from "../fill/protocol.ts";
import { neededByte, sendableTo } from "./held-back.ts";
import { FIRST_WAIT_MS, WAIT_MS } from "./pace.ts";

export interface FollowingJob {
  readonly subject: Subject;
  readonly rights: () => Rights;
  readonly fill: FillClient;
  /** The image's bytes that the reader is to send. */
  readonly from: number;
  readonly to: number;
  readonly whole: boolean;
}

export class Following {
  readonly #job: FollowingJob;
  readonly #name = crypto.randomUUID();
  /** What it follows, from the first answer that named it. */
  #cut: Cut | null = null;
  #attempt: string | null = null;
  #stored = 0;
  #began = false;
  #insists = false;
  #missed: string | null = null;
  #askAgainAt = 0;
  #waitMs = FIRST_WAIT_MS;

  constructor(job: FollowingJob) {
    this.#job = job;
  }

  get cut(): Cut | null {
    return this.#cut;
  }

  get attempt(): string | null {
    return this.#attempt;
  }

  /** Number of slices that are stored. */
  get stored(): number {
    return this.#stored;
  }

  /** Whether the fill was begun for this reader. */
  get began(): boolean {
    return this.#began;
  }

  /** How long it is until its turn to ask, ms. */
  get pause(): number {
    return this.#askAgainAt - Date.now();
  }

  /** Told at once that it is kept: nothing but the object is known of it. */
  get isKept(): boolean {
    return this.#cut === null && this.#attempt !== null;
  }

  /** The origin can't give a part by itself: this one waits for the fill however far ahead it is. */
  insist(): void {
    this.#insists = true;
  }

  /** So many more slices were found than it was told of. */
  found(slices: number): void {
    this.#stored += slices;
  }

  /** What it was told of is not there: the Fill is told so at the next question. */
  missed(): void {
    this.#missed = this.#attempt;
  }

  /** The image's byte up to which a download that is at `position` can be sent now. */
  sendable(position: number): number {
    const { from, to } = this.#job;
    return this.#cut === null ? position : Math.max(position, sendableTo(this.#cut, this.#stored, from, to));
  }

  /** Tells the Fill that it has one reader less. */
  leave(): Promise<void> {
    return this.#job.fill.left(this.#name);
  }

  /** Asks, at its turn. @param position the image's byte that its client gets next */
  async ask(position: number): Promise<Answer> {
    const { fill, subject, rights, whole, from, to } = this.#job;
    const sent = position > from;
    const ask: Ask = {
      reader: this.#name,
      subject,
      attempt: this.#attempt,
      sent,
      at: this.#cut === null ? position : neededByte(this.#cut, position, from, to),
      want: whole ? "whole" : this.#insists || this.#cut !== null ? "insist" : "range",
      ...(this.#missed === null ? {} : { missed: this.#missed }),
    };
    this.#missed = null;
    let answer = await fill.follow(ask, this.#waitMs);
    if (answer.do === "lend") answer = await fill.follow({ ...ask, rights: rights() }, WAIT_MS);
    this.#waitMs = WAIT_MS;
    return this.#take(answer, sent);
  }

  #take(answer: Answer, sent: boolean): Answer {
    if (answer.do === "read") {
      // Only one that has no bytes yet may begin with another attempt.
      if (this.#cut !== null && this.#cut.attempt !== answer.attempt && sent) return { do: "cut", why: "fill-stopped" };
      const { attempt, size, sliceBytes, stored } = answer;
      // It may have found more by itself.
      this.#stored = this.#cut?.attempt === attempt ? Math.max(this.#stored, stored) : stored;
      this.#cut = { attempt, size, sliceBytes };
      this.#began = answer.began;
    }
    if (answer.do === "read" || answer.do === "kept") this.#attempt = answer.attempt;
    if (answer.do === "kept" && !sent) this.#cut = null;
    if (answer.do === "wait" && !sent && answer.attempt !== this.#attempt) {
      // What it was told of before is not what it follows now.
      const { attempt, size, sliceBytes } = answer;
      this.#attempt = attempt;
      this.#stored = 0;
      const isCut = this.#job.whole && size !== undefined && sliceBytes !== undefined;
      this.#cut = isCut ? { attempt, size, sliceBytes } : null;
    }
    if (answer.do === "read" || answer.do === "wait") this.#askAgainAt = Date.now() + answer.askAgainMs;
    return answer;
  }
}
