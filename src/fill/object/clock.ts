/**
 * The clock of a Fill: when its alarm rings, and what is done then. A heartbeat keeps the object awake while it is at work; one
 * alarm that waited for a whole pull would be ended after 15 minutes.
 */
import type { AttemptStorage } from "./attempt.ts";
import type { AwaitedTurn } from "./awaited.ts";
import type { FillCore } from "./core.ts";
import { type Duty, duty } from "./duty.ts";
import type { LentRights } from "./lent.ts";
import type { Pulling } from "./pulling.ts";
import type { Putting } from "./putting.ts";
import type { Readers } from "./readers.ts";
import type { Removal } from "./removal.ts";
import { type FillState, isRunning } from "./state.ts";
import { HEARTBEAT_MS } from "./times.ts";
import type { FillTools } from "./tools.ts";

/** What a clock needs of its Fill. */
export interface ClockParts {
  readonly core: FillCore;
  readonly tools: FillTools;
  readonly storage: AttemptStorage;
  readonly lent: LentRights;
  readonly readers: Readers;
  readonly awaited: AwaitedTurn;
  readonly pulling: Pulling;
  readonly putting: Putting;
  readonly removal: Removal;
  /** Nothing is left of this object then. */
  readonly forget: () => Promise<void>;
}

export class Clock {
  readonly #parts: ClockParts;

  constructor(parts: ClockParts) {
    this.#parts = parts;
  }

  /** The alarm has rung: does what is due. @returns whether nothing is left of this fill @throws whatever R2 or D1 throw */
  async attend(imageId: string): Promise<boolean> {
    const { core, tools, awaited, pulling, putting, removal } = this.#parts;
    if (putting.hangs(Date.now())) await core.startAnew(imageId);
    const state = core.of(imageId);
    const due = this.#duty(state, Date.now());
    switch (due.do) {
      case "wait":
        return false;
      case "pull":
        pulling.start();
        return false;
      case "put":
        core.background(putting.put(state));
        return false;
      case "sweep-slices":
        await removal.dropSlices(imageId, due.attempt);
        await core.apply(imageId, { on: "swept", attempt: due.attempt });
        return false;
      case "bury": {
        await core.apply(imageId, { on: "burying", attempts: due.attempts });
        // One that is still being put is seen to when that has ended.
        const ended = due.attempts.filter((attempt) => attempt !== putting.attempt);
        core.background(removal.bury(imageId, ended));
        return false;
      }
      case "stop":
        tools.log.info("fill.dropped", { image_id: imageId, why: "stalled" });
        await core.apply(imageId, { on: "stop", read: false });
        return false;
      case "forget":
        if (await awaited.isAwaited(imageId)) return false;
        // Somebody may have asked meanwhile, and begun an attempt.
        if (this.#duty(core.of(imageId), Date.now()).do !== "forget") return false;
        await this.#parts.forget();
        return true;
    }
  }

  /** Has the alarm ring in time for what is due next. */
  async schedule(state: FillState): Promise<void> {
    const { tools, storage, lent, readers, awaited, putting } = this.#parts;
    const now = Date.now();
    const due = this.#duty(state, now);
    const awake = awaited.keeps(now);
    const beat = now + HEARTBEAT_MS;
    if (due.do === "pull" && !lent.any && readers.count(now) === 0 && state.phase.is === "filling") {
      // Nobody's rights, and nobody to ask for them: the next reader wakes it, or its end.
      return storage.wakeAt(state.phase.storedAt + tools.settings.cleanStallMs, now);
    }
    if (due.do === "wait") {
      const busy = isRunning(state.phase) || awake;
      return storage.wakeAt(busy ? Math.min(due.until, beat) : due.until, now);
    }
    if (due.do === "forget" && !awake && storage.imageId() === null) return;
    // What is due is under way, or is done when the alarm rings.
    return storage.wakeAt(due.do === "put" && putting.attempt === null ? now : beat, now);
  }

  #duty(state: FillState, now: number): Duty {
    return duty(state, this.#parts.tools.settings.cleanStallMs, now, this.#parts.readers.count(now));
  }
}
