/**
 * Fill: the Durable Object of one image. It alone asks the origin for the image's data, and it alone writes and removes what
 * R2 holds of it, so that no other part of the edge ever races with it there.
 *
 * What happens is an event; ./rules.ts says what it changes and what is to be done, and `#apply` sees to it. Here is what may be
 * called, and that one step; who does what is asked for stands beside: clock, pulling, putting, removal, admission. All that
 * must outlive the object is in its SQLite. States and races: docs/fills.md.
 */
import { DurableObject } from "cloudflare:workers";
import { ServiceTokenMemory, serviceTokens } from "../../keystone/service-tokens.ts";
import { createLog } from "../../lib/log.ts";
import { type Env, readSettings } from "../../settings.ts";
import { placedFills } from "../client.ts";
import { queueMoved } from "../next.ts";
import type { Answer, Ask, CleanAnswer, FillCalls, Progress, RemoveAnswer, Rights } from "../protocol.ts";
import { Admission } from "./admission.ts";
import { answer } from "./answer.ts";
import { AttemptStorage } from "./attempt.ts";
import { AwaitedTurn } from "./awaited.ts";
import { Beginning } from "./begin.ts";
import { Clock } from "./clock.ts";
import type { FillCore } from "./core.ts";
import { countEnd } from "./count.ts";
import { doEffect, type EffectParts } from "./effects.ts";
import type { Event } from "./events.ts";
import { LentRights } from "./lent.ts";
import { BufferPool } from "./pool.ts";
import { Prefetch } from "./prefetch.ts";
import { Pulling } from "./pulling.ts";
import { Putting } from "./putting.ts";
import { Readers } from "./readers.ts";
import { Removal } from "./removal.ts";
import { step } from "./rules.ts";
import { type FillState, isRunning, progressOf } from "./state.ts";
import { type FillTools, fillTools } from "./tools.ts";

/** One for all Fills of an isolate: each would else log in, and take memory, for itself. */
const tokens = new ServiceTokenMemory();
const pool = new BufferPool();

export class Fill extends DurableObject<Env> implements FillCalls {
  readonly #tools: FillTools;
  readonly #storage: AttemptStorage;
  readonly #lent: LentRights;
  readonly #readers = new Readers();
  readonly #beginning: Beginning;
  readonly #prefetch: Prefetch;
  readonly #pulling: Pulling;
  readonly #clock: Clock;
  readonly #parts: EffectParts;
  #state: FillState | null = null;
  /** The reader that the attempt was begun for; in memory only, for Cache-Status. */
  #beganBy: string | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const settings = readSettings(env);
    const log = createLog({ fill: ctx.id.toString() });
    // What a former life of this object held died with it.
    pool.release(ctx.id.toString());
    this.#tools = fillTools(env, settings, log, (work) => ctx.waitUntil(work));
    this.#storage = new AttemptStorage(ctx.storage);
    this.#lent = new LentRights(serviceTokens(settings, tokens, Date.now), log);
    const tools = this.#tools;
    const fills = placedFills(env.FILL, settings.place);
    const lent = this.#lent;
    const readers = this.#readers;
    const core: FillCore = {
      known: () => this.#state,
      of: (imageId) => this.#of(imageId),
      apply: (imageId, event) => this.#apply(imageId, event),
      background: (work) => ctx.waitUntil(work),
      queueMoved: () => ctx.waitUntil(queueMoved({ ...tools, fills }, Date.now())),
      startAnew: (imageId) => this.#startAnew(imageId),
    };
    const admission = new Admission(core, tools, readers, fills);
    const beginning = new Beginning(core, tools);
    const awaited = new AwaitedTurn(tools, lent);
    const prefetch = new Prefetch({ core, tools, lent, readers, beginning, awaited });
    const owner = ctx.id.toString();
    const pulling = new Pulling({ core, tools, lent, readers, prefetch, admission, pool, owner });
    const removal = new Removal({ core, tools, readers, pulling });
    this.#parts = { core, tools, pulling, removal, awaited };
    this.#beginning = beginning;
    this.#prefetch = prefetch;
    this.#pulling = pulling;
    const putting = new Putting({ core, tools, readers, admission, removal });
    const storage = this.#storage;
    const forget = () => this.#forget();
    this.#clock = new Clock({ core, tools, storage, lent, readers, awaited, pulling, putting, removal, forget });
  }

  async follow(ask: Ask, waitMs: number): Promise<Answer> {
    const { reader, subject, rights } = ask;
    let asking = ask;
    const deadline = Date.now() + waitMs;
    if (rights !== undefined) {
      this.#lent.lend(reader, rights);
      this.#pulling.rightsLent();
    }
    // Should an alarm have been lost, this is what brings it back.
    await this.#clock.schedule(this.#of(subject.imageId));
    if (ask.missed !== undefined) await this.#beginning.look(subject.imageId, ask.missed, ask.at);
    for (;;) {
      const now = Date.now();
      this.#readers.saw(reader, now);
      const say = answer(this.#of(subject.imageId), asking, now);
      switch (say.do) {
        case "begin": {
          this.#beganBy = reader;
          const instead = await this.#beginning.begin(subject);
          if (instead !== null) return instead;
          break;
        }
        case "replace":
          await this.#apply(subject.imageId, { on: "stop", read: false });
          break;
        case "failed":
          return { ...say, relay: this.#pulling.relayFor(subject.imageId, say.why) };
        case "read":
          return { ...say, began: this.#beganBy === reader, askAgainMs: this.#readers.turn(now) };
        case "wait":
          if (this.#lent.wasRefused(reader)) return { do: "forward" };
          if (this.#pulling.needsRights) return { do: "lend" };
          this.#pulling.start();
          if (now >= deadline) return { ...say, askAgainMs: this.#readers.turn(now) };
          // Should this attempt fail, its end is this reader's: each of those who wait would else begin another one.
          if (!ask.sent) asking = { ...asking, attempt: say.attempt };
          await this.#readers.wait(deadline - now);
          break;
        default:
          return say;
      }
    }
  }

  async missed(imageId: string, attempt: string): Promise<void> {
    await this.#beginning.look(imageId, attempt, 0);
  }

  async left(reader: string): Promise<void> {
    this.#readers.left(reader);
    const state = this.#state;
    if (state?.phase.is !== "filling" || state.phase.stored > 0 || this.#pulling.isRunning || this.#lent.any) return;
    // The origin refused all rights that there were: nothing is stored, and its room is wanted.
    if (this.#readers.count(Date.now()) === 0) await this.#apply(state.imageId, { on: "stop", read: false });
  }

  async remove(imageId: string, rule: "always" | "unless-read"): Promise<RemoveAnswer> {
    return this.#parts.removal.remove(imageId, rule);
  }

  async unqueue(imageId: string): Promise<void> {
    this.#parts.awaited.end();
    const { phase, queued } = this.#of(imageId);
    if (!queued) return;
    await this.#apply(imageId, { on: "queued", queued: false });
    if (isRunning(phase) && this.#readers.count(Date.now()) === 0)
      await this.#apply(imageId, { on: "stop", read: false });
  }

  async lend(imageId: string, rights: Rights): Promise<void> {
    this.#lent.lendForQueue(rights);
    this.#pulling.rightsLent();
    this.#parts.awaited.begin(Date.now());
    await this.#clock.schedule(this.#of(imageId));
  }

  async prefetch(imageId: string): Promise<void> {
    this.ctx.waitUntil(this.#prefetch.fetch(imageId));
  }

  async progress(): Promise<Progress | null> {
    const imageId = this.#state?.imageId ?? this.#storage.imageId();
    if (imageId === null) return null;
    const state = this.#of(imageId);
    // As a reader's question does.
    await this.#clock.schedule(state);
    return progressOf(state, this.#readers.count(Date.now()));
  }

  async clean(imageId: string, attempt: string | null): Promise<CleanAnswer> {
    const answer = await this.#parts.removal.clean(imageId, attempt);
    // As a reader's question does, where nobody asks any more.
    await this.#clock.schedule(this.#of(imageId));
    return answer;
  }

  override async alarm(): Promise<void> {
    this.#storage.rang();
    pool.heard(this.ctx.id.toString());
    const imageId = this.#state?.imageId ?? this.#storage.imageId();
    if (imageId === null) return;
    try {
      if (await this.#clock.attend(imageId)) return;
    } catch (cause) {
      // Thrown on, the platform would try six times, and then never again.
      this.#tools.log.error("fill.alarm-failed", cause, { image_id: imageId });
    }
    await this.#clock.schedule(this.#of(imageId));
  }

  #of(imageId: string): FillState {
    if (this.#state === null) {
      this.#state = this.#storage.read(imageId);
      // What it changes it changes at once.
      this.ctx.waitUntil(this.#apply(imageId, { on: "restarted" }));
    }
    return this.#state;
  }

  /** The one place where an event is taken in. Resolves when what it asks for is done, but for pulls and puts. */
  async #apply(imageId: string, event: Event): Promise<void> {
    const before = this.#of(imageId);
    const { state, effects } = step(before, event, Date.now());
    if (state !== before) {
      this.#state = state;
      this.#storage.write(state);
      this.#readers.wake();
      countEnd(before.phase, state.phase, this.#tools.meter);
    }
    const scheduled = this.#clock.schedule(state);
    // In their order: an object goes before the parts that it names.
    for (const effect of effects) await doEffect(imageId, effect, this.#parts);
    await scheduled;
  }

  async #forget(): Promise<void> {
    this.#lent.clear();
    this.#state = null;
    await this.#storage.forget();
  }

  /** The next life of this object goes on from what is on disk. */
  async #startAnew(imageId: string): Promise<never> {
    this.#tools.log.error("fill.put-hangs", new Error("a put did not end"), { image_id: imageId });
    await this.#storage.sync();
    this.ctx.abort("a put to R2 hangs: only a new object can go on");
    throw new Error("this object is gone");
  }
}
