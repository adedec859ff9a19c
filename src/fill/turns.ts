/** The turns of those who read a fill: who reads, who pulls, who waits, and for how long an answer is worth waiting. */
import { DeadlineExceeded, withDeadline } from "../deadline.ts";
import type { Admissions } from "./admission.ts";
import type { FillKeeper, FillTools } from "./keeper.ts";
import type { Ask, Errand, Subject, Turn } from "./protocol.ts";
import { answer, type FillState } from "./rules.ts";

/** How long the first question of a reader waits for room: usually one short look into D1. */
const ADMISSION_MS = 1_000;

export class Turns {
  readonly #tools: FillTools;
  readonly #keeper: FillKeeper;
  readonly #admissions: Admissions;
  readonly #granted: (state: FillState, errand: Errand) => void;

  /** @param granted takes note that a reader pulls now */
  constructor(
    tools: FillTools,
    keeper: FillKeeper,
    admissions: Admissions,
    granted: (state: FillState, errand: Errand) => void,
  ) {
    this.#tools = tools;
    this.#keeper = keeper;
    this.#admissions = admissions;
    this.#granted = granted;
  }

  /** Waits up to `waitMs` for an answer other than `wait`. @param subject one that shares the fill that runs, if any */
  async next(subject: Subject, ask: Ask, waitMs: number, errand: Errand): Promise<Turn> {
    const { stallMs } = this.#tools.settings;
    const since = Date.now();
    const deadline = since + waitMs;
    const seat = this.#keeper.waiters.sit(ask.reader);
    try {
      for (let first = true; ; first = false) {
        // Who has bytes of an earlier generation can't begin a new one; after a stop nobody who waited can.
        const mayBegin = first && ask.generation === null;
        const { state } = this.#keeper;
        if (state === null) {
          if (!mayBegin) return this.#afterTheEnd(subject, ask);
          this.#keeper.begin(subject);
          // Should its reader leave before anything comes of it, the alarm gives its room back.
          await this.#keeper.schedule();
          continue;
        }
        const now = Date.now();
        const step = answer(state, ask, crypto.randomUUID(), now, stallMs);
        if (seat.left) return { do: "wait" };
        if (step.answer.do === "pull" && !this.#admissions.has(state.generation)) {
          const refusal = await this.#admit(subject, state, Math.max(deadline, since + ADMISSION_MS));
          if (refusal !== null) return refusal;
          // The state may be another one by now.
          continue;
        }
        const calmUntil = step.answer.do === "read" ? seat.calmUntil : now;
        if (now >= deadline || (step.answer.do !== "wait" && now >= calmUntil)) {
          if (step.answer.do === "pull") this.#granted(step.state, errand);
          if (step.answer.do === "read") seat.answered(now);
          return step.answer;
        }
        const lapse = state.lease?.expires ?? deadline;
        const stall = state.progressAt + stallMs;
        // What time alone can change, if nothing else happens before.
        const next = [deadline, calmUntil, lapse, stall].filter((time) => time > now);
        await this.#keeper.waiters.change(Math.min(...next) - now);
      }
    } finally {
      seat.leave();
    }
  }

  /** @returns the answer for a reader that can't pull for now, or null when there is room */
  async #admit({ imageId, size }: Subject, state: FillState, deadline: number): Promise<Turn | null> {
    const { blob, generation } = state;
    const asking = this.#admissions.ask({ imageId, blob, size, generation });
    // A catalog that hangs must not hold up downloads for longer than a fill that does.
    const stall = (this.#admissions.askedAt(generation) ?? Date.now()) + this.#tools.settings.stallMs;
    try {
      const patience = Math.max(1, Math.min(deadline, stall) - Date.now());
      const admission = await withDeadline("making room", patience, asking);
      return admission === "admitted" ? null : { do: "alone", why: "no-room" };
    } catch (cause) {
      if (cause instanceof DeadlineExceeded && Date.now() < stall) return { do: "wait" };
      this.#tools.log.error("fill.admission-failed", cause, { image_id: imageId });
      return { do: "alone", why: "catalog-unavailable" };
    }
  }

  /** What a reader gets whose fill is over: committed and forgotten, or stopped. */
  async #afterTheEnd(subject: Subject, ask: Ask): Promise<Turn> {
    const image = ask.generation === null ? null : await this.#tools.catalog.find(subject.imageId);
    if (image === null || image.generation !== ask.generation) return { do: "alone", why: "fill-stopped" };
    if (ask.need.what === "verdict") return { do: "finish" };
    const { blob, generation, sliceBytes, etags } = image;
    return { do: "read", blob, generation, sliceBytes, stored: etags.length };
  }
}
