/**
 * Fill: the Durable Object of one running fill. It knows which slices are stored, who may pull, and whether the content
 * agreed; it wakes those who wait, and its alarm finishes what nobody pulls. It moves no image bytes while clients pull.
 *
 * All that must outlive the object is in its SQLite, written as it goes: there is no shutdown hook. Rules: ./rules.ts,
 * turns: ./turns.ts, what it does by itself: ./watchdog.ts, states and races: docs/fills.md.
 */
import { DurableObject } from "cloudflare:workers";
import { type Env, readSettings } from "../config.ts";
import { ServiceTokenMemory, serviceTokens } from "../keystone/service-tokens.ts";
import { createLog } from "../observe/log.ts";
import { Catalog } from "../store/catalog.ts";
import { Generations } from "../store/generations.ts";
import { PrefetchQueue } from "../store/queue.ts";
import { SliceStore } from "../store/slices.ts";
import { Admissions } from "./admission.ts";
import { queueMoved } from "./advance-queue.ts";
import { Committer } from "./committer.ts";
import { FillKeeper, type FillTools } from "./keeper.ts";
import type { Ask, CleanAnswer, Errand, Progress, Standing, Subject, Turn } from "./protocol.ts";
import { Rights } from "./rights.ts";
import {
  alive,
  compareSubjects,
  type FillState,
  gateAgreed,
  isPulled,
  isStale,
  mismatched,
  quiet,
  released,
  sliceStored,
} from "./rules.ts";
import type { LeaseHolder } from "./slice-writer.ts";
import { FillStorage } from "./storage.ts";
import { Turns } from "./turns.ts";
import { BACKGROUND, Watchdog } from "./watchdog.ts";

/** An idle object is put away after 10 s (Durable Objects docs, lifecycle), and what it has in memory with it. */
const KEEP_AWAKE_MS = 8_000;
/** Keystone's default lifetime of a token: after that a lent one is worth nothing. */
const LENT_MS = 3_600_000;
/**
 * Who clears a queue of any length tells only the Fills that are at work; one whose image waits looks for itself, so seldom that
 * 50,000 of them ask D1 some 170 times a second, of the thousand that it can (D1 limits page).
 */
const LOOK_MS = 300_000;

/** The rights of who queued the image, as long as they may be needed. Times in ms since the epoch. */
interface Lent {
  readonly imageId: string;
  readonly until: number;
  /** When to look whether the image is queued still. */
  lookAt: number;
}

/** One for all Fills of an isolate, which would else log in each for itself. */
const tokens = new ServiceTokenMemory();

export class Fill extends DurableObject<Env> {
  readonly #tools: FillTools;
  readonly #keeper: FillKeeper;
  readonly #committer: Committer;
  readonly #rights: Rights;
  readonly #turns: Turns;
  readonly #watchdog: Watchdog;
  /** Kept for the image's turns in the queue; null: nobody's, or no longer. */
  #lent: Lent | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const settings = readSettings(env);
    const log = createLog({ fill: ctx.id.toString() });
    this.#tools = {
      storage: new FillStorage(ctx.storage),
      slices: new SliceStore(env.BUCKET),
      catalog: new Catalog(env.CATALOG),
      generations: new Generations(env.CATALOG),
      queue: new PrefetchQueue(env.CATALOG),
      settings,
      log,
    };
    this.#keeper = new FillKeeper(this.#tools);
    this.#committer = new Committer(this.#keeper, this.#tools, (state) => {
      this.#lent = null;
      if (state.wanted) this.#queueMoved();
    });
    this.#rights = new Rights(serviceTokens(settings, tokens, Date.now), log);
    const admissions = new Admissions(this.#tools, settings.cacheMaxBytes, async ({ blob, generation }) => {
      // Stopped or dropped meanwhile: whoever did that gave the room back before it was taken.
      if (this.#keeper.of(generation) === null) await this.#keeper.removeSlices(blob, generation);
    });
    this.#turns = new Turns(this.#tools, this.#keeper, admissions, (state, errand) => {
      this.#rights.lend(errand, "puller");
      ctx.waitUntil(this.#granted(state));
    });
    this.#watchdog = new Watchdog(
      {
        keeper: this.#keeper,
        committer: this.#committer,
        rights: this.#rights,
        admissions,
        granted: (state) => this.#granted(state),
        lease: (turn) => this.#lease(turn),
        queueMoved: () => this.#queueMoved(),
      },
      this.#tools,
    );
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
    return this.#turns.next(subject, ask, waitMs, errand);
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
    this.#rights.clear();
    this.#lent = null;
    await this.#keeper.forget();
  }

  /** The image is taken out of the cache, but not from its users: a fill that clients pull goes on. */
  async stopUnused(): Promise<void> {
    const { state, waiters } = this.#keeper;
    // Also what was lent for an image that waits for its turn, which does not come now.
    if (state === null) return this.stop();
    const now = Date.now();
    const byClients = isPulled(state, now) && state.lease?.reader !== BACKGROUND;
    if (state.committedAt !== null || !(byClients || waiters.others(BACKGROUND, now) > 0)) await this.stop();
  }

  /** Lends the rights of who queued the image, for its turn. They stay in memory, which is why this keeps awake. */
  async lend(errand: Errand): Promise<void> {
    this.#rights.lend(errand, "queuer");
    const now = Date.now();
    this.#lent = { imageId: errand.target.imageId, until: now + LENT_MS, lookAt: now + LOOK_MS };
    await this.#tools.storage.wakeAt(now + KEEP_AWAKE_MS);
  }

  /** The image's turn in the queue has come. How it goes the queue is told, not the caller. */
  prefetch(imageId: string): void {
    const begun = this.#watchdog.prefetch(imageId).then((rightsNeeded) => {
      if (!rightsNeeded) this.#lent = null;
    });
    this.ctx.waitUntil(begun);
  }

  /** @returns null when no fill runs */
  async progress(): Promise<Progress | null> {
    const { subject, state } = this.#keeper;
    if (subject === null || state === null) return null;
    // Should an alarm have been lost, after the platform's last try of it, this is what brings it back.
    await this.#keeper.schedule();
    const { generation, stored, slices, committedAt } = state;
    return {
      generation,
      slicesStored: stored,
      slicesTotal: slices,
      size: subject.size,
      committed: committedAt !== null,
      wanted: state.wanted,
    };
  }

  /** Drops this generation if nobody has stored anything of it for `stallMs`. */
  async clean(generation: string, stallMs: number): Promise<CleanAnswer> {
    const state = this.#keeper.of(generation);
    if (state === null) return "unknown";
    if (!isStale(state, stallMs, Date.now())) return "kept";
    this.#tools.log.info("fill.dropped", { image_id: this.#keeper.subject?.imageId ?? null, why: "stalled" });
    await this.stop();
    return "removed";
  }

  /** The watchdog. */
  override async alarm(): Promise<void> {
    this.#tools.storage.rang();
    // First: what comes next is often due at once, and must not be put off.
    const lent = this.#lent;
    if (lent !== null && this.#rights.lent && Date.now() < lent.until) {
      await this.#tools.storage.wakeAt(Date.now() + KEEP_AWAKE_MS);
      if (Date.now() >= lent.lookAt) await this.#endUnlessQueued(lent);
    }
    if (this.#keeper.state !== null) await this.#watchdog.ring();
  }

  /** Ends what is kept, and done, for an image that was taken out of the queue. */
  async #endUnlessQueued(lent: Lent): Promise<void> {
    const { queue, log } = this.#tools;
    lent.lookAt = Date.now() + LOOK_MS;
    try {
      if (await queue.has(lent.imageId)) return;
    } catch (cause) {
      return log.error("fill.queue-unknown", cause, { image_id: lent.imageId });
    }
    // Queued anew while D1 was asked: those rights are other ones.
    if (this.#lent !== lent) return;
    this.#lent = null;
    await this.stopUnused();
  }

  async #change(generation: string, next: (state: FillState) => FillState): Promise<void> {
    const state = this.#keeper.of(generation);
    if (state !== null) await this.#keeper.become(next(state));
  }

  async #granted(state: FillState): Promise<void> {
    const written = this.#keeper.become(state);
    if (state.stored > 0) {
      // A second puller: no one's digest covers the whole, so the read-back starts now and follows the fill.
      const following = this.#committer
        .run()
        .catch((cause: unknown) =>
          this.#tools.log.error("fill.verify-failed", cause, { generation: state.generation }),
        );
      this.ctx.waitUntil(following);
    }
    await written;
  }

  /** The background's own way to report: as a puller's, without a network between. */
  #lease({ lease, generation, blob }: Extract<Turn, { do: "pull" }>): LeaseHolder {
    return {
      stored: (slice, etag, foreign) => this.stored(lease, generation, blob, slice, etag, foreign),
      alive: async (received) => this.alive(lease, generation, received),
      release: (keepQuiet) => this.release(lease, generation, keepQuiet),
      quiet: (ended) => this.quiet(generation, ended),
    };
  }

  #queueMoved(): void {
    this.ctx.waitUntil(queueMoved({ ...this.#tools, fills: this.env.FILL }, Date.now()));
  }
}
