/**
 * Fill: the Durable Object of one image. It alone asks the origin for the image's data, and it alone writes and removes what
 * R2 holds of it, so that no other part of the edge ever races with it there.
 *
 * What happens is an event; ./rules.ts says what it changes and what is to be done, and `#apply` sees to it. Here is what may be
 * called, that one step, and the clock; who does what is asked for stands beside: pulling, putting, removal, admission. All that
 * must outlive the object is in its SQLite. States and races: docs/fills.md.
 */
import { DurableObject } from "cloudflare:workers";
import { ServiceTokenMemory, serviceTokens } from "../../keystone/service-tokens.ts";
import { createLog } from "../../lib/log.ts";
import { type Env, readSettings } from "../../settings.ts";
import { Catalog } from "../../store/catalog.ts";
import { isSameObject, ObjectStore } from "../../store/objects.ts";
import { PartStore } from "../../store/parts.ts";
import { PrefetchQueue } from "../../store/queue.ts";
import { RoomBook } from "../../store/room.ts";
import { SliceStore } from "../../store/slices.ts";
import { queueMoved } from "../next.ts";
import type { Answer, Ask, CleanAnswer, Errand, FillCalls, Progress, RemoveAnswer } from "../protocol.ts";
import { Admission } from "./admission.ts";
import { answer } from "./answer.ts";
import { AttemptStorage } from "./attempt.ts";
import { AwaitedTurn } from "./awaited.ts";
import { Beginning } from "./begin.ts";
import type { FillCore } from "./core.ts";
import { type Duty, duty } from "./duty.ts";
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
import { type FillState, isRunning, storedBytes } from "./state.ts";
import { HEARTBEAT_MS } from "./times.ts";
import type { FillTools } from "./tools.ts";

/** One for all Fills of an isolate: each would else log in, and take memory, for itself. */
const tokens = new ServiceTokenMemory();
const pool = new BufferPool();

export class Fill extends DurableObject<Env> implements FillCalls {
  readonly #tools: FillTools;
  readonly #storage: AttemptStorage;
  readonly #lent: LentRights;
  readonly #readers = new Readers();
  readonly #awaited: AwaitedTurn;
  readonly #beginning: Beginning;
  readonly #prefetch: Prefetch;
  readonly #pulling: Pulling;
  readonly #removal: Removal;
  readonly #putting: Putting;
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
    this.#tools = {
      slices: new SliceStore(env.BUCKET),
      objects: new ObjectStore(env.BUCKET),
      parts: new PartStore(env.BUCKET),
      catalog: new Catalog(env.CATALOG),
      room: new RoomBook(env.CATALOG),
      queue: new PrefetchQueue(env.CATALOG),
      settings,
      log,
    };
    this.#storage = new AttemptStorage(ctx.storage);
    this.#lent = new LentRights(serviceTokens(settings, tokens, Date.now), log);
    const tools = this.#tools;
    const lent = this.#lent;
    const readers = this.#readers;
    const core: FillCore = {
      known: () => this.#state,
      of: (imageId) => this.#of(imageId),
      apply: (imageId, event) => this.#apply(imageId, event),
      background: (work) => ctx.waitUntil(work),
      queueMoved: () => ctx.waitUntil(queueMoved({ ...tools, fills: env.FILL }, Date.now())),
      startAnew: (imageId) => this.#startAnew(imageId),
    };
    const admission = new Admission(core, tools, env.FILL);
    const beginning = new Beginning(core, tools);
    const awaited = new AwaitedTurn(tools, lent);
    const prefetch = new Prefetch({ core, tools, lent, readers, beginning, awaited });
    const owner = ctx.id.toString();
    const pulling = new Pulling({ core, tools, lent, readers, prefetch, admission, pool, owner });
    const removal = new Removal(core, tools, pulling);
    this.#parts = { core, tools, pulling, removal, awaited };
    this.#beginning = beginning;
    this.#awaited = awaited;
    this.#prefetch = prefetch;
    this.#pulling = pulling;
    this.#removal = removal;
    this.#putting = new Putting({ core, tools, readers, admission, removal });
  }

  async follow(ask: Ask, waitMs: number): Promise<Answer> {
    const { reader, subject, errand } = ask;
    let asking = ask;
    const deadline = Date.now() + waitMs;
    if (errand !== undefined) {
      this.#lent.lend(reader, errand);
      this.#pulling.rightsLent();
    }
    // Should an alarm have been lost, this is what brings it back.
    await this.#schedule(this.#of(subject.imageId));
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

  async left(reader: string): Promise<void> {
    this.#readers.left(reader);
    const state = this.#state;
    if (state?.phase.is !== "filling" || state.phase.stored > 0 || this.#pulling.isRunning || this.#lent.any) return;
    // The origin refused all rights that there were: nothing is stored, and its room is wanted.
    if (this.#readers.count(Date.now()) === 0) await this.#apply(state.imageId, { on: "stop", read: false });
  }

  async remove(imageId: string, rule: "always" | "unless-read"): Promise<RemoveAnswer> {
    const there = await this.#tools.objects.head(imageId);
    // Only now: while R2 was asked an attempt may have begun, and have readers.
    const { phase } = this.#of(imageId);
    const running = isRunning(phase);
    const read = rule === "unless-read" && this.#readers.count(Date.now()) > 0;
    if (read && running) return "busy";
    const found = there === null || there === "foreign" ? {} : { found: there.attempt };
    await this.#apply(imageId, { on: "stop", read, ...found });
    if (there === null) return phase.is === "idle" ? "nothing" : "removed";
    // What an event asks for fails silently; who asked for the removal is to know.
    const left = await this.#tools.objects.head(imageId);
    return left !== null && isSameObject(left, there) ? "failed" : "removed";
  }

  async unqueue(imageId: string): Promise<void> {
    this.#awaited.end();
    const { phase, queued } = this.#of(imageId);
    if (!queued) return;
    await this.#apply(imageId, { on: "queued", queued: false });
    if (isRunning(phase) && this.#readers.count(Date.now()) === 0)
      await this.#apply(imageId, { on: "stop", read: false });
  }

  async lend(imageId: string, errand: Errand): Promise<void> {
    this.#lent.lendForQueue(errand);
    this.#pulling.rightsLent();
    this.#awaited.begin(Date.now());
    await this.#schedule(this.#of(imageId));
  }

  async prefetch(imageId: string): Promise<void> {
    this.ctx.waitUntil(this.#prefetch.fetch(imageId));
  }

  async progress(): Promise<Progress | null> {
    const imageId = this.#state?.imageId ?? this.#storage.imageId();
    if (imageId === null) return null;
    const state = this.#of(imageId);
    // As a reader's question does.
    await this.#schedule(state);
    const { phase, queued } = state;
    if (phase.is !== "filling" && phase.is !== "complete" && phase.is !== "kept") return null;
    return {
      attempt: phase.attempt,
      state: phase.is,
      bytesStored: storedBytes(phase),
      size: phase.size,
      readers: this.#readers.count(Date.now()),
      queued,
    };
  }

  async clean(imageId: string, attempt: string | null): Promise<CleanAnswer> {
    return this.#removal.clean(imageId, attempt);
  }

  override async alarm(): Promise<void> {
    this.#storage.rang();
    pool.heard(this.ctx.id.toString());
    const imageId = this.#state?.imageId ?? this.#storage.imageId();
    if (imageId === null) return;
    try {
      if (await this.#attend(imageId)) return;
    } catch (cause) {
      // Thrown on, the platform would try six times, and then never again.
      this.#tools.log.error("fill.alarm-failed", cause, { image_id: imageId });
    }
    await this.#schedule(this.#of(imageId));
  }

  /** Does what is due by the clock. @returns whether nothing is left of this fill @throws whatever R2 or D1 throw */
  async #attend(imageId: string): Promise<boolean> {
    if (this.#putting.hangs(Date.now())) await this.#startAnew(imageId);
    const state = this.#of(imageId);
    const due = this.#duty(state, Date.now());
    switch (due.do) {
      case "wait":
        break;
      case "pull":
        this.#pulling.start();
        break;
      case "put":
        this.ctx.waitUntil(this.#putting.put(state));
        break;
      case "sweep-slices":
        await this.#removal.dropSlices(imageId, due.attempt);
        await this.#apply(imageId, { on: "swept", attempt: due.attempt });
        break;
      case "bury":
        await this.#apply(imageId, { on: "burying", attempts: due.attempts });
        // One that is still being put is seen to when that has ended.
        this.ctx.waitUntil(
          this.#removal.bury(
            imageId,
            due.attempts.filter((attempt) => attempt !== this.#putting.attempt),
          ),
        );
        break;
      case "stop":
        this.#tools.log.info("fill.dropped", { image_id: imageId, why: "stalled" });
        await this.#apply(imageId, { on: "stop", read: false });
        break;
      case "forget":
        if (await this.#awaited.isAwaited(imageId)) break;
        // Somebody may have asked meanwhile, and begun an attempt.
        if (this.#duty(this.#of(imageId), Date.now()).do !== "forget") break;
        this.#lent.clear();
        this.#state = null;
        await this.#storage.forget();
        return true;
    }
    return false;
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
    }
    const scheduled = this.#schedule(state);
    // In their order: an object goes before the parts that it names.
    for (const effect of effects) await doEffect(imageId, effect, this.#parts);
    await scheduled;
  }

  #duty(state: FillState, now: number): Duty {
    return duty(state, this.#tools.settings.cleanStallMs, now, this.#readers.count(now));
  }

  async #schedule(state: FillState): Promise<void> {
    const now = Date.now();
    const due = this.#duty(state, now);
    const busy = isRunning(state.phase);
    const awake = this.#awaited.keeps(now);
    const beat = now + HEARTBEAT_MS;
    if (due.do === "pull" && !this.#lent.any && this.#readers.count(now) === 0 && state.phase.is === "filling") {
      // Nobody's rights, and nobody to ask for them: the next reader wakes it, or its end.
      return this.#storage.wakeAt(state.phase.storedAt + this.#tools.settings.cleanStallMs, now);
    }
    if (due.do === "wait") return this.#storage.wakeAt(busy || awake ? Math.min(due.until, beat) : due.until, now);
    if (due.do === "forget" && !awake && this.#storage.imageId() === null) return;
    // What is due is under way, or is done when the alarm rings.
    return this.#storage.wakeAt(due.do === "put" && this.#putting.attempt === null ? now : beat, now);
  }

  /** The next life of this object goes on from what is on disk. */
  async #startAnew(imageId: string): Promise<never> {
    this.#tools.log.error("fill.put-hangs", new Error("a put did not end"), { image_id: imageId });
    await this.#storage.sync();
    this.ctx.abort("a put to R2 hangs: only a new object can go on");
    throw new Error("this object is gone");
  }
}
