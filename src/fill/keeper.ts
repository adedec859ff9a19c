/**
 * Keeps one fill's subject and state: every change is written down, wakes those who wait, and sets the alarm. What of a
 * dropped generation lies in R2 is removed here as well.
 */
import type { Settings } from "../config.ts";
import type { PrefetchQueue } from "../store/queue.ts";
import { type SlicePlan, sliceCount } from "../store/slice-plan.ts";
import { removeCondemned, type Store } from "../store/store.ts";
import type { Standing, Subject } from "./protocol.ts";
import { duty, type FillState, newGeneration } from "./rules.ts";
import type { FillStorage } from "./storage.ts";
import { Waiters } from "./waiters.ts";

/** What a fill works with. */
export interface FillTools extends Store {
  readonly storage: FillStorage;
  readonly queue: PrefetchQueue;
  readonly settings: Settings;
}

export class FillKeeper {
  readonly waiters = new Waiters();
  readonly #tools: FillTools;
  #subject: Subject | null;
  #state: FillState | null;

  constructor(tools: FillTools) {
    this.#tools = tools;
    const saved = tools.storage.load();
    this.#subject = saved?.subject ?? null;
    this.#state = saved?.state ?? null;
  }

  get subject(): Subject | null {
    return this.#subject;
  }

  get state(): FillState | null {
    return this.#state;
  }

  /** The state, if it is still that of this generation. */
  of(generation: string): FillState | null {
    return this.#state?.generation === generation ? this.#state : null;
  }

  /** Starts a fill with its first generation. */
  begin(subject: Subject): FillState {
    this.#subject = subject;
    this.#state = this.#newGeneration(subject, null);
    this.#tools.storage.save(subject, this.#state);
    return this.#state;
  }

  /** The next state: written down and told. Nothing else may have happened since the one that it was made from. */
  async become(state: FillState): Promise<void> {
    this.#state = state;
    if (this.#subject !== null) this.#tools.storage.save(this.#subject, state);
    this.waiters.wake();
    await this.schedule();
  }

  /** A mere sign of life: after a restart an old one only means that somebody else may pull. Not written down. */
  refresh(state: FillState): void {
    this.#state = state;
  }

  /** Sets the alarm for what comes next. */
  async schedule(): Promise<void> {
    if (this.#state === null) return;
    const task = duty(this.#state, Date.now(), this.#tools.settings.cleanStallMs);
    await this.#tools.storage.wakeAt(task.do === "wait" ? task.until : Date.now());
  }

  /** What the holder of this lease is told. */
  standing(leaseId: string): Standing {
    if (this.#state === null) return { lease: "dropped" };
    if (this.#state.lease?.id !== leaseId) return { lease: "lost" };
    return { lease: "held", waiters: this.waiters.others(this.#state.lease.reader, Date.now()) };
  }

  /** Gives up a generation for a new one. @param state its last state, with what is to be remembered of it */
  async drop(state: FillState, why: string): Promise<void> {
    const subject = this.#subject;
    if (subject === null) return;
    const { log, storage } = this.#tools;
    log.info("fill.dropped", { image_id: subject.imageId, why, mismatches: state.mismatches });
    storage.clearSlices();
    await this.become(this.#newGeneration(subject, state));
    await this.removeSlices(subject.blob, state.generation);
  }

  /** Forgets the fill, and removes what it stored and did not commit. */
  async forget(): Promise<void> {
    const { blob } = this.#subject ?? {};
    const { generation } = this.#state ?? {};
    this.#subject = null;
    this.#state = null;
    this.waiters.wake();
    await this.#tools.storage.clear();
    if (blob !== undefined && generation !== undefined) await this.removeSlices(blob, generation);
  }

  /** Removes a generation's slices, unless it is the catalog's: an image with the same content may need it. */
  async removeSlices(blob: string, generation: string): Promise<void> {
    const { generations, log } = this.#tools;
    try {
      if (!(await generations.condemn(generation, Date.now()))) return;
      await removeCondemned(this.#tools, [{ blob, generation }]);
    } catch (cause) {
      log.error("fill.remove-failed", cause, { blob, generation });
    }
  }

  /** Removes a slice that came too late, unless it is the catalog's. */
  async removeSlice(blob: string, generation: string, slice: number): Promise<void> {
    const { catalog, slices, log } = this.#tools;
    try {
      if ((await catalog.generationOf(blob)) !== generation) await slices.remove(blob, generation, slice);
    } catch (cause) {
      log.error("fill.remove-failed", cause, { blob, generation, slice });
    }
  }

  #newGeneration({ blob, size }: Subject, previous: FillState | null): FillState {
    const { sliceBytes } = this.#tools.settings;
    const slices = sliceCount({ size, sliceBytes });
    return newGeneration(previous, { blob, generation: crypto.randomUUID(), slices, sliceBytes }, Date.now());
  }
}

/** How the image of a fill is cut. */
export function planOf(subject: Subject, state: FillState): SlicePlan {
  return { size: subject.size, sliceBytes: state.sliceBytes };
}
