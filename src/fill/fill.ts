/**
 * Fill: the Durable Object of one running fill. It knows which slices are stored, who may pull, and whether the content
 * agreed; it wakes those who wait, and its alarm finishes what nobody pulls. It moves no image bytes while clients pull.
 *
 * All that must outlive the object is in its SQLite, written as it goes: there is no shutdown hook. Rules: ./rules.ts,
 * states and races: docs/fills.md.
 */
import { DurableObject } from "cloudflare:workers";
import { type Env, readSettings, type Settings } from "../config.ts";
import { createLog } from "../observe/log.ts";
import { Catalog } from "../store/catalog.ts";
import { SliceStore } from "../store/slices.ts";
import { pullInBackground } from "./background.ts";
import { Committer } from "./committer.ts";
import { FillKeeper, type FillTools } from "./keeper.ts";
import type { Ask, Errand, Standing, Subject, Turn } from "./protocol.ts";
import {
  alive,
  answer,
  compareSubjects,
  duty,
  type FillState,
  gateAgreed,
  mismatched,
  quiet,
  released,
  setBack,
  sliceStored,
  withoutRights,
} from "./rules.ts";
import { FillStorage } from "./storage.ts";

export class Fill extends DurableObject<Env> {
  readonly #settings: Settings;
  readonly #tools: FillTools;
  readonly #keeper: FillKeeper;
  readonly #committer: Committer;
  /** Whose rights the background may use. In memory only: a token is never written down. */
  #errand: Errand | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#settings = readSettings(env);
    this.#tools = {
      storage: new FillStorage(ctx.storage),
      slices: new SliceStore(env.BUCKET),
      catalog: new Catalog(env.CATALOG),
      sliceBytes: this.#settings.sliceBytes,
      log: createLog({ fill: ctx.id.toString() }),
    };
    this.#keeper = new FillKeeper(this.#tools);
    this.#committer = new Committer(this.#keeper, this.#tools);
  }

  /**
   * A reader asks for its turn. Waits up to `waitMs` for an answer other than `wait`.
   * @param errand the asker's rights, should it become the last who pulled
   */
  async turn(subject: Subject, ask: Ask, waitMs: number, errand: Errand): Promise<Turn> {
    const filling = this.#keeper.subject;
    const relation = filling === null ? "share" : compareSubjects(filling, subject);
    if (relation === "same-image") return { do: "alone", why: "fill-weaker" };
    // The record changed, which Glance does not do to an active image: what the newest one says counts.
    if (relation === "other") await this.stop();
    const deadline = Date.now() + waitMs;
    const seat = this.#keeper.waiters.sit(ask.reader);
    try {
      for (let first = true; ; first = false) {
        // Who has bytes of an earlier generation can't begin a new one; after a stop nobody who waited can.
        const mayBegin = first && ask.generation === null;
        const state = this.#keeper.state ?? (mayBegin ? this.#keeper.begin(subject) : null);
        if (state === null) return this.#afterTheEnd(subject, ask);
        const now = Date.now();
        const step = answer(state, ask, crypto.randomUUID(), now, this.#settings.stallMs);
        if (seat.left) return { do: "wait" };
        const calmUntil = step.answer.do === "read" ? seat.calmUntil : now;
        if (now >= deadline || (step.answer.do !== "wait" && now >= calmUntil)) {
          if (step.answer.do === "pull") this.#granted(step.state, errand);
          if (step.answer.do === "read") seat.answered(now);
          return step.answer;
        }
        const lapse = state.lease?.expires ?? deadline;
        const stall = state.progressAt + this.#settings.stallMs;
        // What time alone can change, if nothing else happens before.
        const next = [deadline, calmUntil, lapse, stall].filter((time) => time > now);
        await this.#keeper.waiters.change(Math.min(...next) - now);
      }
    } finally {
      seat.leave();
    }
  }

  /** A reader is gone: nothing more is meant for it. */
  left(reader: string): void {
    this.#keeper.waiters.forget(reader);
  }

  /** A puller stored a slice. `foreign`: another one's bytes stood there already. */
  async stored(
    lease: string,
    generation: string,
    blob: string,
    slice: number,
    etag: string,
    foreign: boolean,
  ): Promise<Standing> {
    const state = this.#keeper.of(generation);
    if (state === null) {
      // Dropped while this slice was on its way: nobody else would ever remove it.
      await this.#keeper.removeSlice(blob, generation, slice);
      return { lease: "dropped" };
    }
    const next = sliceStored(state, lease, slice, foreign, Date.now());
    if (next.stored > state.stored) this.#tools.storage.addSlice(slice, etag);
    await this.#keeper.become(next);
    return this.#keeper.standing(lease);
  }

  /** A puller lives, and has received so many bytes under this lease. */
  alive(lease: string, generation: string, received: number): Standing {
    const state = this.#keeper.of(generation);
    if (state === null) return { lease: "dropped" };
    this.#keeper.refresh(alive(state, lease, received, Date.now()));
    return this.#keeper.standing(lease);
  }

  /** A puller gives its lease back. `keepQuiet`: it goes on alone and wants the origin's link for itself. */
  async release(lease: string, generation: string, keepQuiet: boolean): Promise<void> {
    await this.#change(generation, (state) => released(state, lease, keepQuiet, Date.now()));
  }

  /** A download that let go of the store still runs, or does so no more. */
  async quiet(generation: string, ended: boolean): Promise<void> {
    await this.#change(generation, (state) => quiet(state, ended, Date.now()));
  }

  /** The puller's digest gate agreed with all of the image. */
  async agreed(lease: string, generation: string): Promise<void> {
    await this.#change(generation, (state) => gateAgreed(state, lease));
  }

  /** The puller's digest gate did not agree: the generation is worth nothing. */
  async disagreed(generation: string): Promise<void> {
    const state = this.#keeper.of(generation);
    // What was read back and committed is right, whatever one puller got.
    if (state !== null && state.committedAt === null)
      await this.#keeper.drop(mismatched(state, Date.now()), "digest-mismatch");
  }

  /** A reader did not find a slice that should be there. */
  async missing(generation: string): Promise<void> {
    const state = this.#keeper.of(generation);
    if (state !== null && state.committedAt === null) await this.#keeper.drop(state, "slice-missing");
  }

  /** The image is evicted: ends the fill and removes all that it stored. */
  async stop(): Promise<void> {
    this.#errand = null;
    await this.#keeper.forget();
  }

  /** The watchdog. */
  override async alarm(): Promise<void> {
    this.#tools.storage.rang();
    const { state, subject } = this.#keeper;
    if (state === null || subject === null) return;
    const task = duty(state, Date.now());
    try {
      if (task.do === "fill") await this.#fillInBackground(subject, state);
      if (task.do === "verify") await this.#committer.run();
      if (task.do === "forget") await this.#keeper.forget();
    } catch (cause) {
      this.#tools.log.error("fill.background-failed", cause, { image_id: subject.imageId, task: task.do });
      await this.#change(state.generation, (current) => setBack(current, Date.now()));
    }
    await this.#keeper.schedule();
  }

  /** What a reader gets whose fill is over: committed and forgotten, or stopped. */
  async #afterTheEnd(subject: Subject, ask: Ask): Promise<Turn> {
    const image = ask.generation === null ? null : await this.#tools.catalog.find(subject.imageId);
    if (image === null || image.generation !== ask.generation) return { do: "alone", why: "fill-stopped" };
    if (ask.need.what === "verdict") return { do: "finish" };
    const { blob, generation, sliceBytes, etags } = image;
    return { do: "read", blob, generation, sliceBytes, stored: etags.length };
  }

  async #change(generation: string, next: (state: FillState) => FillState): Promise<void> {
    const state = this.#keeper.of(generation);
    if (state !== null) await this.#keeper.become(next(state));
  }

  #granted(state: FillState, errand: Errand): void {
    this.#errand = errand;
    this.ctx.waitUntil(this.#keeper.become(state));
    if (state.stored === 0) return;
    // A second puller: no one's digest covers the whole, so the read-back starts now and follows the fill.
    const following = this.#committer
      .run()
      .catch((cause: unknown) => this.#tools.log.error("fill.verify-failed", cause, { generation: state.generation }));
    this.ctx.waitUntil(following);
  }

  async #fillInBackground(subject: Subject, state: FillState): Promise<void> {
    const errand = this.#errand;
    if (errand === null) {
      this.#tools.log.info("fill.waits-for-download", { image_id: subject.imageId, stored: state.stored });
      return this.#keeper.become(withoutRights(state));
    }
    const ask: Ask = { reader: "background", generation: null, need: { what: "slice", slice: state.stored } };
    const { state: leased, answer: turn } = answer(state, ask, crypto.randomUUID(), Date.now(), this.#settings.stallMs);
    if (turn.do !== "pull") return;
    this.#granted(leased, errand);
    const { lease, generation } = turn;
    const end = await pullInBackground({
      subject,
      turn,
      errand,
      origin: this.#settings.origin,
      slices: this.#tools.slices,
      lease: {
        stored: (slice, etag, foreign) => this.stored(lease, generation, turn.blob, slice, etag, foreign),
        alive: async (received) => this.alive(lease, generation, received),
        release: (keepQuiet) => this.release(lease, generation, keepQuiet),
        quiet: (ended) => this.quiet(generation, ended),
      },
      log: this.#tools.log,
    });
    // The store refused, or somebody else pulls: not at once again.
    if (end !== "stored") await this.#change(generation, (current) => setBack(current, Date.now()));
  }
}
