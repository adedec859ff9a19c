/**
 * Fill: the Durable Object of one running fill. It knows which slices are stored, who may pull, and whether the content
 * agreed; it wakes those who wait, and its alarm finishes what nobody pulls. It moves no image bytes while clients pull.
 *
 * All that must outlive the object is in its SQLite, written as it goes: there is no shutdown hook. Rules: ./rules.ts,
 * states and races: docs/fills.md.
 */
import { DurableObject } from "cloudflare:workers";
import { type Env, readSettings, type Settings } from "../config.ts";
import { createLog, type Log } from "../observe/log.ts";
import { ImageBody } from "../origin/image-body.ts";
import { Catalog } from "../store/catalog.ts";
import { type SlicePlan, sliceCount } from "../store/slice-plan.ts";
import { SliceStore } from "../store/slices.ts";
import type { Ask, Errand, Standing, Subject, Turn } from "./protocol.ts";
import { pull } from "./puller.ts";
import {
  alive,
  answer,
  committed,
  duty,
  type FillState,
  gateAgreed,
  mismatched,
  newGeneration,
  quiet,
  released,
  setBack,
  sharesSubject,
  sliceStored,
} from "./rules.ts";
import { FillStorage } from "./storage.ts";
import { verifySlices } from "./verify.ts";
import { Waiters } from "./waiters.ts";

/** A background run ends before the platform's 15 minutes of an alarm and goes on in the next one. */
const BACKGROUND_MS = 10 * 60_000;
/** A read-back that follows a running fill gives up after so long without a new slice; the alarm starts it again. */
const FOLLOW_MS = 60_000;

export class Fill extends DurableObject<Env> {
  readonly #settings: Settings;
  readonly #storage: FillStorage;
  readonly #slices: SliceStore;
  readonly #catalog: Catalog;
  readonly #waiters = new Waiters();
  readonly #log: Log;
  #subject: Subject | null;
  #state: FillState | null;
  /** Whose rights the background may use. In memory only: a token is never written down. */
  #errand: Errand | null = null;
  #verification: Promise<void> | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#settings = readSettings(env);
    this.#storage = new FillStorage(ctx.storage);
    this.#slices = new SliceStore(env.BUCKET);
    this.#catalog = new Catalog(env.CATALOG);
    this.#log = createLog({ fill: ctx.id.toString() });
    const saved = this.#storage.load();
    this.#subject = saved?.subject ?? null;
    this.#state = saved?.state ?? null;
  }

  /**
   * A reader asks for its turn. Waits up to `waitMs` for an answer other than `wait`.
   * @param errand the asker's rights, should it become the last who pulled
   */
  async turn(subject: Subject, ask: Ask, waitMs: number, errand: Errand): Promise<Turn> {
    // The record changed, which Glance does not do to an active image: what the newest one says counts.
    if (this.#subject !== null && !sharesSubject(this.#subject, subject)) await this.stop();
    const deadline = Date.now() + waitMs;
    const seat = this.#waiters.sit(ask.reader);
    let asked: string | null = null;
    try {
      for (;;) {
        const state: FillState | null = this.#state ?? this.#begin(subject, asked);
        if (state === null) return { do: "alone", why: "fill-stopped" };
        asked = state.generation;
        const now = Date.now();
        const step = answer(state, ask, crypto.randomUUID(), now, this.#settings.stallMs);
        const ready = step.answer.do !== "wait" && (step.answer.do !== "read" || now >= seat.calmUntil);
        if (ready || now >= deadline || seat.left) {
          if (seat.left) return { do: "wait" };
          if (step.answer.do === "pull") this.#granted(step.state, errand);
          if (step.answer.do === "read") seat.answered(now);
          return step.answer;
        }
        const calm = step.answer.do === "read" ? seat.calmUntil : Number.POSITIVE_INFINITY;
        const lapse = state.lease?.expires ?? Number.POSITIVE_INFINITY;
        const stall = state.progressAt + this.#settings.stallMs;
        await this.#waiters.change(Math.min(deadline, calm, lapse > now ? lapse : deadline, stall) - now);
      }
    } finally {
      seat.leave();
    }
  }

  /** A reader is gone: nothing more is meant for it. */
  left(reader: string): void {
    this.#waiters.forget(reader);
  }

  async stored(leaseId: string, generation: string, slice: number, etag: string, foreign: boolean): Promise<Standing> {
    const state = this.#of(generation);
    if (state === null) return { lease: "dropped" };
    const next = sliceStored(state, leaseId, slice, foreign, Date.now());
    if (next.stored > state.stored) this.#storage.addSlice(slice, etag);
    await this.#become(next);
    return this.#standing(leaseId);
  }

  alive(leaseId: string, generation: string, received: number): Standing {
    const state = this.#of(generation);
    if (state === null) return { lease: "dropped" };
    // Not written down: after a restart an expired lease only means that somebody else may pull.
    this.#state = alive(state, leaseId, received, Date.now());
    return this.#standing(leaseId);
  }

  async release(leaseId: string, generation: string, keepQuiet: boolean): Promise<void> {
    const state = this.#of(generation);
    if (state !== null) await this.#become(released(state, leaseId, keepQuiet, Date.now()));
  }

  async quiet(generation: string, ended: boolean): Promise<void> {
    const state = this.#of(generation);
    if (state !== null) await this.#become(quiet(state, ended, Date.now()));
  }

  /** The puller's digest gate agreed with all of the image. */
  async agreed(leaseId: string, generation: string): Promise<void> {
    const state = this.#of(generation);
    if (state !== null) await this.#become(gateAgreed(state, leaseId));
  }

  /** The puller's digest gate did not agree: the generation is worth nothing. */
  async disagreed(generation: string): Promise<void> {
    const state = this.#of(generation);
    if (state !== null) await this.#drop(mismatched(state, Date.now()), "digest-mismatch");
  }

  /** A reader did not find a slice that should be there. */
  async missing(generation: string): Promise<void> {
    const state = this.#of(generation);
    if (state !== null) await this.#drop(state, "slice-missing");
  }

  /** The image is evicted: ends the fill and removes all that it stored. */
  async stop(): Promise<void> {
    const { generation } = this.#state ?? {};
    const subject = this.#subject;
    this.#state = null;
    this.#subject = null;
    this.#errand = null;
    this.#waiters.wake();
    this.#storage.clear();
    await this.ctx.storage.deleteAlarm();
    if (subject !== null && generation !== undefined) await this.#removeSlices(subject.blob, generation);
  }

  /** The watchdog. */
  override async alarm(): Promise<void> {
    const state = this.#state;
    const subject = this.#subject;
    if (state === null || subject === null) return;
    try {
      const task = duty(state, Date.now());
      if (task.do === "fill") await this.#fillInBackground(subject, state);
      if (task.do === "verify") await this.#verify(subject, state.generation);
      if (task.do === "forget") return await this.#forget(subject, state);
    } catch (cause) {
      this.#log.error("fill.background-failed", cause, { image_id: subject.imageId });
      if (this.#state?.generation === state.generation) this.#state = setBack(this.#state, Date.now());
    }
    await this.#schedule();
  }

  /** Starts the first generation; after a stop (`asked` is what the asker had begun with) there is none to join. */
  #begin(subject: Subject, asked: string | null): FillState | null {
    if (asked !== null) return null;
    this.#subject = subject;
    this.#state = this.#newGeneration(subject, null);
    this.#storage.save(subject, this.#state);
    return this.#state;
  }

  #newGeneration(subject: Subject, previous: FillState | null): FillState {
    const { sliceBytes } = this.#settings;
    const slices = sliceCount({ size: subject.size, sliceBytes });
    return newGeneration(
      previous,
      { blob: subject.blob, generation: crypto.randomUUID(), slices, sliceBytes },
      Date.now(),
    );
  }

  #granted(state: FillState, errand: Errand): void {
    this.#errand = errand;
    this.#state = state;
    this.ctx.waitUntil(this.#become(state));
    // A second puller: no one's digest covers the whole, so the read-back starts now and follows the fill.
    if (state.stored > 0) this.#follow();
  }

  async #become(state: FillState): Promise<void> {
    this.#state = state;
    if (this.#subject !== null) this.#storage.save(this.#subject, state);
    this.#waiters.wake();
    await this.#schedule();
  }

  async #schedule(): Promise<void> {
    if (this.#state === null) return;
    const task = duty(this.#state, Date.now());
    await this.#storage.wakeAt(task.do === "wait" ? task.until : Date.now());
  }

  #of(generation: string): FillState | null {
    return this.#state?.generation === generation ? this.#state : null;
  }

  #standing(leaseId: string): Standing {
    if (this.#state === null) return { lease: "dropped" };
    if (this.#state.lease?.id !== leaseId) return { lease: "lost" };
    return { lease: "held", waiters: this.#waiters.others(this.#state.lease.reader, Date.now()) };
  }

  async #drop(state: FillState, why: string): Promise<void> {
    const subject = this.#subject;
    if (subject === null) return;
    this.#log.info("fill.dropped", { image_id: subject.imageId, why, mismatches: state.mismatches });
    this.#storage.clearSlices();
    await this.#become(this.#newGeneration(subject, state));
    await this.#removeSlices(subject.blob, state.generation);
  }

  async #forget(subject: Subject, state: FillState): Promise<void> {
    this.#state = null;
    this.#subject = null;
    this.#storage.clear();
    await this.#removeSlices(subject.blob, state.generation);
  }

  /** Removes a generation's slices, unless they are the catalog's now: an image with the same content may need them. */
  async #removeSlices(blob: string, generation: string): Promise<void> {
    try {
      if ((await this.#catalog.generationOf(blob)) === generation) return;
      await this.#slices.removeGeneration(blob, generation);
    } catch (cause) {
      this.#log.error("fill.remove-failed", cause, { blob, generation });
    }
  }

  async #fillInBackground(subject: Subject, state: FillState): Promise<void> {
    const errand = this.#errand;
    if (errand === null) throw new Error("nobody's rights are at hand to go on with");
    const ask: Ask = { reader: "background", generation: null, need: { what: "slice", slice: state.stored } };
    const { state: leased, answer: turn } = answer(state, ask, crypto.randomUUID(), Date.now(), this.#settings.stallMs);
    if (turn.do !== "pull") return;
    this.#granted(leased, errand);
    const body = new ImageBody({
      target: errand.target,
      caller: new Headers(errand.headers.map(([name, value]) => [name, value])),
      origin: this.#settings.origin,
      size: subject.size,
    });
    const { lease, generation } = turn;
    const deadline = Date.now() + BACKGROUND_MS;
    const end = await pull({
      plan: this.#plan(subject, state),
      blob: subject.blob,
      generation,
      slice: turn.slice,
      body,
      slices: this.#slices,
      lease: {
        stored: (slice, etag, foreign) => this.stored(lease, generation, slice, etag, foreign),
        alive: async (received) => this.alive(lease, generation, received),
        release: (keepQuiet) => this.release(lease, generation, keepQuiet),
        quiet: (ended) => this.quiet(generation, ended),
      },
      client: null,
      log: this.#log,
      expired: () => Date.now() >= deadline,
    });
    this.#log.info("fill.background", { image_id: subject.imageId, end, from_slice: turn.slice });
  }

  #plan(subject: Subject, state: FillState): SlicePlan {
    return { size: subject.size, sliceBytes: state.sliceBytes };
  }

  #follow(): void {
    const state = this.#state;
    const subject = this.#subject;
    if (state === null || subject === null) return;
    const following = this.#verify(subject, state.generation).catch((cause: unknown) =>
      this.#log.error("fill.verify-failed", cause, { image_id: subject.imageId }),
    );
    this.ctx.waitUntil(following);
  }

  /** Reads the slices back, as far as they are stored and as they come, and commits. One run at a time. */
  async #verify(subject: Subject, generation: string): Promise<void> {
    this.#verification ??= this.#readBack(subject, generation).finally(() => {
      this.#verification = null;
    });
    await this.#verification;
  }

  async #readBack(subject: Subject, generation: string): Promise<void> {
    const state = this.#of(generation);
    if (state === null) return;
    const verdict = await verifySlices({
      subject,
      generation,
      plan: this.#plan(subject, state),
      slices: this.#slices,
      etagOf: (slice) => this.#etagWhenStored(generation, slice),
      progressed: () => this.#verified(generation),
    });
    const current = this.#of(generation);
    if (current === null || verdict === "gave-up") return;
    if (verdict === "agrees") await this.#commit(subject, current);
    else await this.#drop(verdict === "disagrees" ? mismatched(current, Date.now()) : current, verdict);
  }

  /** The etag of a slice as soon as it is stored; null when the generation goes or nothing comes any more. */
  async #etagWhenStored(generation: string, slice: number): Promise<string | null> {
    const deadline = Date.now() + FOLLOW_MS;
    for (;;) {
      const state = this.#of(generation);
      if (state === null || Date.now() >= deadline) return null;
      if (slice < state.stored) return this.#storage.etag(slice);
      await this.#waiters.change(deadline - Date.now());
    }
  }

  #verified(generation: string): void {
    const state = this.#of(generation);
    if (state !== null) this.#state = { ...state, progressAt: Date.now() };
  }

  async #commit(subject: Subject, state: FillState): Promise<void> {
    const { imageId, blob, checksum, size } = subject;
    const { generation, sliceBytes } = state;
    const etags = this.#storage.etags();
    const kept = await this.#catalog.commit(
      { imageId, blob, checksum, size, generation, sliceBytes, etags },
      Date.now(),
    );
    if (this.#of(generation) === null) {
      // Evicted while the commit was on its way: the eviction has the last word.
      const { orphan } = await this.#catalog.evict(imageId);
      if (orphan !== null) await this.#removeSlices(orphan.blob, orphan.generation);
      return;
    }
    this.#log.info("fill.committed", { image_id: imageId, blob, size, own_copy: kept === generation });
    await this.#become(committed(this.#of(generation) ?? state, Date.now()));
  }
}
