/**
 * Fill: the Durable Object of one image. It alone asks the origin for the image's data, and it alone writes and removes what
 * R2 holds of it, so that no other part of the edge ever races with it there.
 *
 * What happens is an event; ./rules.ts says what it changes and what is to be done, and `#apply` does it. All that must
 * outlive the object is in its SQLite. States and races: docs/fills.md.
 */
import { DurableObject } from "cloudflare:workers";
import { ServiceTokenMemory, serviceTokens } from "../../keystone/service-tokens.ts";
import { DeadlineExceeded, withDeadline } from "../../lib/deadline.ts";
import { createLog } from "../../lib/log.ts";
import { type Env, readSettings } from "../../settings.ts";
import { Catalog } from "../../store/catalog.ts";
import { isCopyOf, ObjectStore } from "../../store/objects.ts";
import { PartStore } from "../../store/parts.ts";
import { PrefetchQueue } from "../../store/queue.ts";
import { RoomBook } from "../../store/room.ts";
import { planSlices, sliceAt, sliceLength } from "../../store/slice-plan.ts";
import { SliceStore } from "../../store/slices.ts";
import { FillClient } from "../client.ts";
import { takeRoom } from "../make-room.ts";
import { queueMoved } from "../next.ts";
import type {
  Answer,
  Ask,
  CleanAnswer,
  Errand,
  FillCalls,
  Progress,
  Relay,
  RemoveAnswer,
  Subject,
} from "../protocol.ts";
import { AttemptStorage } from "./attempt.ts";
import { commit, SliceMissing } from "./commit.ts";
import { LentRights } from "./lent.ts";
import { planParts } from "./parts.ts";
import { BufferPool } from "./pool.ts";
import { Prefetch } from "./prefetch.ts";
import { type PullEnd, pull } from "./pull.ts";
import { Readers } from "./readers.ts";
import {
  answer,
  type Duty,
  duty,
  type Effect,
  type Event,
  type Filling,
  type FillState,
  HEARTBEAT_MS,
  isStopped,
  PUT_MS,
  ROOM_AGAIN_MS,
  rangesFrom,
  step,
  storedBytes,
} from "./rules.ts";
import type { FillTools } from "./tools.ts";

/** Keystone's default lifetime of a token: after that a lent one is worth nothing. */
const LENT_MS = 3_600_000;
/** How often a Fill that only keeps lent rights looks whether its image is queued still: 50,000 of them read D1 170 times a second. */
const LOOK_MS = 300_000;
/** How long a fill waits for D1 before its first slice is stored without a word about room. */
const ROOM_MS = 1_000;
/** A pause of the put before each slice while clients read: it competes with them for the store. */
const GIVE_WAY_MS = 20;

/** One for all Fills of an isolate: each would else log in, and take memory, for itself. */
const tokens = new ServiceTokenMemory();
const pool = new BufferPool();

export class Fill extends DurableObject<Env> implements FillCalls {
  readonly #tools: FillTools;
  readonly #storage: AttemptStorage;
  readonly #lent: LentRights;
  readonly #prefetch: Prefetch;
  readonly #readers = new Readers();
  #state: FillState | null = null;
  #pulling: { readonly attempt: string; readonly ended: Promise<void>; readonly abort: AbortController } | null = null;
  #beginning: Promise<Answer | null> | null = null;
  /** The attempt whose one put is under way. */
  #putting: string | null = null;
  /** When the put that is under way last took a slice, ms since the epoch. */
  #putMovedAt = 0;
  /** The last pull found nobody's rights to ask the origin under. */
  #withoutRights = false;
  #relay: Relay | null = null;
  /** The reader that the attempt was begun for; in memory only, for Cache-Status. */
  #beganBy: string | null = null;
  /** Until then the rights of who queued the image are kept for its turn; ms since the epoch. */
  #awakeUntil = 0;
  /** When to look whether it is queued still; ms since the epoch. */
  #lookAt = 0;

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
    this.#prefetch = new Prefetch(this.#tools, this.#lent);
  }

  async follow(ask: Ask, waitMs: number): Promise<Answer> {
    const { reader, subject, errand } = ask;
    let asking = ask;
    const deadline = Date.now() + waitMs;
    if (errand !== undefined) {
      this.#lent.lend(reader, errand);
      this.#withoutRights = false;
    }
    if (ask.missed !== undefined) await this.#look(subject.imageId, ask.missed, ask.at);
    for (;;) {
      const now = Date.now();
      this.#readers.saw(reader, now);
      const say = answer(this.#of(subject.imageId), asking, now);
      switch (say.do) {
        case "begin": {
          this.#beganBy = reader;
          const instead = await this.#begin(subject);
          if (instead !== null) return instead;
          break;
        }
        case "replace":
          await this.#apply(subject.imageId, { on: "stop", read: false });
          break;
        case "failed":
          return { ...say, relay: this.#relay };
        case "read":
          return { ...say, began: this.#beganBy === reader, askAgainMs: this.#readers.turn(now) };
        case "wait":
          if (this.#lent.wasRefused(reader)) return { do: "forward" };
          if (this.#pulling === null && (this.#withoutRights || !this.#lent.any)) return { do: "lend" };
          this.#startPull();
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
    if (state?.phase.is !== "filling" || state.phase.stored > 0 || this.#pulling !== null || this.#lent.any) return;
    // The origin refused all rights that there were: nothing is stored, and its room is wanted.
    if (this.#readers.count(Date.now()) === 0) await this.#apply(state.imageId, { on: "stop", read: false });
  }

  async remove(imageId: string, rule: "always" | "unless-read"): Promise<RemoveAnswer> {
    const { phase } = this.#of(imageId);
    const running = phase.is === "filling" || phase.is === "complete";
    const read = rule === "unless-read" && this.#readers.count(Date.now()) > 0;
    if (read && running) return "busy";
    const there = (await this.#tools.objects.head(imageId)) !== null || phase.is !== "idle";
    await this.#apply(imageId, { on: "stop", read });
    return there ? "removed" : "nothing";
  }

  async unqueue(imageId: string): Promise<void> {
    this.#awakeUntil = 0;
    const { phase, queued } = this.#of(imageId);
    if (!queued) return;
    await this.#apply(imageId, { on: "queued", queued: false });
    const running = phase.is === "filling" || phase.is === "complete";
    if (running && this.#readers.count(Date.now()) === 0) await this.#apply(imageId, { on: "stop", read: false });
  }

  async lend(imageId: string, errand: Errand): Promise<void> {
    this.#lent.lendForQueue(errand);
    this.#withoutRights = false;
    this.#awakeUntil = Date.now() + LENT_MS;
    this.#lookAt = Date.now() + LOOK_MS;
    await this.#schedule(this.#of(imageId));
  }

  async prefetch(imageId: string): Promise<void> {
    this.ctx.waitUntil(this.#fetchQueued(imageId));
  }

  async progress(): Promise<Progress | null> {
    const imageId = this.#state?.imageId ?? this.#storage.imageId();
    if (imageId === null) return null;
    const state = this.#of(imageId);
    // Should an alarm have been lost, after the platform's last try of it, this is what brings it back.
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
    try {
      return await (attempt === null ? this.#cleanForeign(imageId) : this.#cleanAttempt(imageId, attempt));
    } catch (cause) {
      // The next clean comes to it again.
      this.#tools.log.error("fill.not-done", cause, { image_id: imageId, what: "clean" });
      return "failed";
    }
  }

  async #cleanAttempt(imageId: string, attempt: string): Promise<CleanAnswer> {
    const { phase, tombstones } = this.#of(imageId);
    const current = phase.is === "failed" ? phase.resume?.attempt : phase.is === "idle" ? undefined : phase.attempt;
    if (current === attempt || tombstones.some((stone) => stone.attempt === attempt)) return "in-use";
    const there = await this.#tools.objects.head(imageId);
    // What is kept names its parts, and is done with its slices.
    const kept = there !== null && there !== "foreign" && there.attempt === attempt;
    await (kept ? this.#dropSlices(imageId, attempt) : this.#drop(imageId, attempt));
    return kept && there.kind === "manifest" ? "in-use" : "removed";
  }

  async #cleanForeign(imageId: string): Promise<CleanAnswer> {
    const { objects, catalog } = this.#tools;
    if ((await objects.head(imageId)) !== "foreign") return "in-use";
    await objects.remove(imageId);
    await catalog.remove(imageId);
    return "removed";
  }

  override async alarm(): Promise<void> {
    this.#storage.rang();
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
    if (this.#putting && Date.now() >= this.#putMovedAt + PUT_MS) await this.#startAnew(imageId);
    const state = this.#of(imageId);
    const due = this.#duty(state, Date.now());
    switch (due.do) {
      case "wait":
        break;
      case "pull":
        this.#startPull();
        break;
      case "put":
        this.ctx.waitUntil(this.#put(state));
        break;
      case "sweep-slices":
        if (state.phase.is === "kept") await this.#dropSlices(imageId, state.phase.attempt);
        await this.#apply(imageId, { on: "swept" });
        break;
      case "bury":
        await this.#bury(imageId, due.attempts);
        break;
      case "stop":
        this.#tools.log.info("fill.dropped", { image_id: imageId, why: "stalled" });
        await this.#apply(imageId, { on: "stop", read: false });
        break;
      case "forget":
        if (await this.#isAwaited(imageId)) break;
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
    for (const effect of effects) await this.#do(imageId, effect);
    await scheduled;
  }

  async #do(imageId: string, effect: Effect): Promise<void> {
    const { objects, parts, catalog, queue, log } = this.#tools;
    try {
      switch (effect.do) {
        case "pull":
          this.#relay = null;
          return this.#startPull();
        case "abort-pull":
          return this.#pulling?.abort.abort();
        case "drop":
          return await this.#drop(imageId, effect.attempt);
        case "remove-object":
          // First what names the parts.
          await objects.remove(imageId);
          await parts.removeAll(imageId, null);
          return await catalog.remove(imageId);
        case "index": {
          const { attempt, size, subject } = effect.filling;
          log.info("fill.kept", { image_id: imageId, attempt, size, digest: subject.digest.algorithm });
          this.#awakeUntil = 0;
          await catalog.keep({ imageId, attempt, size }, Date.now());
          return this.#queueMoved();
        }
        case "queue-failed":
          log.info("prefetch.failed", { image_id: imageId, why: effect.why });
          await queue.failed(imageId, describeProblem(effect.why), Date.now());
          return this.#queueMoved();
      }
    } catch (cause) {
      // What is left over is the clean's: nothing of it is ever served.
      log.error("fill.not-done", cause, { image_id: imageId, what: effect.do });
    }
  }

  /** Looks at what R2 holds, and begins an attempt where that is not the image. @returns an answer if none can begin */
  #begin(subject: Subject): Promise<Answer | null> {
    // One at a time: a second one's late removal could take away what the first one's attempt has kept.
    this.#beginning ??= this.#beginOne(subject).finally(() => {
      this.#beginning = null;
    });
    return this.#beginning;
  }

  async #beginOne(subject: Subject): Promise<Answer | null> {
    const { objects, settings, log } = this.#tools;
    const { imageId } = subject;
    try {
      const there = await objects.head(imageId);
      const known = there !== null && there !== "foreign" && !isStopped(this.#of(imageId), there.attempt);
      if (known && isCopyOf(there, subject.digest, subject.size)) {
        await this.#apply(imageId, { on: "found", kept: { attempt: there.attempt, subject } });
        return null;
      }
      if (there !== null) {
        log.info("image.evicted", { image_id: imageId, why: "what is kept is stale, or of a stopped fill" });
        await objects.remove(imageId);
        // Its room is wanted for the new one; not waited for, since no download needs D1.
        const removed = this.#tools.catalog.remove(imageId);
        this.ctx.waitUntil(
          removed.catch((cause: unknown) => log.error("catalog.unavailable", cause, { image_id: imageId })),
        );
      }
    } catch (cause) {
      log.error("store.unavailable", cause, { image_id: imageId });
      return { do: "alone", why: "store-unavailable" };
    }
    const sliceBytes = planSlices(subject.size, settings.sliceBytes);
    const partBytes = planParts(subject.size, sliceBytes, settings.objectMaxBytes);
    await this.#apply(imageId, { on: "begin", subject, attempt: crypto.randomUUID(), sliceBytes, partBytes });
    return null;
  }

  /** Somebody did not find what was kept, or the slice with this byte. */
  async #look(imageId: string, attempt: string, at: number): Promise<void> {
    const { phase } = this.#of(imageId);
    if (phase.is === "filling" || phase.is === "complete") {
      if (phase.attempt === attempt) await this.#lookForSlice(phase, Math.min(at, phase.size - 1));
      return;
    }
    if (phase.is !== "kept") return;
    if (phase.attempt !== attempt) return;
    const there = await this.#tools.objects.head(imageId).catch(() => "unknown" as const);
    if (there === "unknown" || (there !== null && there !== "foreign" && there.attempt === attempt)) return;
    await this.#apply(imageId, { on: "lost", attempt });
  }

  async #lookForSlice(filling: Filling, at: number): Promise<void> {
    const { subject, attempt, stored } = filling;
    const { imageId } = subject;
    const { slices, log } = this.#tools;
    const slice = sliceAt(filling, at);
    if (slice >= stored) return;
    const there = await slices.has({ imageId, attempt }, slice, sliceLength(filling, slice)).catch(() => "unknown");
    if (there !== false) return;
    log.error("fill.slice-lost", new Error(`slice ${slice} is gone`), { image_id: imageId, attempt });
    await this.#apply(imageId, { on: "failed", attempt, why: "fill-stopped", keep: false });
  }

  #startPull(): void {
    const phase = this.#state?.phase;
    if (this.#pulling !== null || phase?.is !== "filling" || Date.now() < phase.notBefore) return;
    if (!this.#lent.any) {
      this.ctx.waitUntil(this.#nobodysRights(phase.subject.imageId));
      return;
    }
    const abort = new AbortController();
    const ended = this.#pull(phase, abort.signal)
      .catch((cause: unknown): "over" => {
        this.#tools.log.error("fill.pull-failed", cause, { image_id: phase.subject.imageId });
        return "over";
      })
      .then((next) => {
        if (this.#pulling?.abort === abort) this.#pulling = null;
        this.#readers.wake();
        if (next === "under-other-rights" || !this.#isCurrent(phase.subject.imageId, phase.attempt)) this.#startPull();
      });
    this.#pulling = { attempt: phase.attempt, ended, abort };
    this.ctx.waitUntil(ended);
  }

  async #pull(filling: Filling, signal: AbortSignal): Promise<"over" | "under-other-rights"> {
    const { settings, slices, log } = this.#tools;
    const { imageId } = filling.subject;
    const { attempt } = filling;
    const taken = await this.#lent.take(imageId);
    if (taken === null) {
      log.info("fill.waits-for-download", { image_id: imageId, stored: filling.stored });
      this.#withoutRights = true;
      await this.#nobodysRights(imageId);
      return "over";
    }
    const admitted = filling.room === "had" ? Promise.resolve(true) : this.#admit(filling);
    const { fetched, ...ending } = await pull({
      filling,
      errand: taken.errand,
      at: settings,
      stallMs: settings.stallMs,
      slices,
      pool,
      owner: this.ctx.id.toString(),
      signal,
      log,
      admitted,
      stored: (stored, bytes, sums) =>
        this.ctx.waitUntil(this.#apply(imageId, { on: "stored", attempt, stored, fetched: bytes, sums })),
    });
    // Its puts have ended: what is to be done about its end may wait for that.
    this.#pulling = null;
    if (ending.end === "refused") {
      log.info("fill.right-refused", { image_id: imageId, status: ending.status, from: taken.from });
      this.#lent.refused(taken, ending.status);
      if (this.#lent.any) return "under-other-rights";
      await this.#nobodysRights(imageId);
      return "over";
    }
    if (ending.end === "store-hangs") {
      // Counted, or a store that hangs each time would keep its readers waiting for ever.
      await this.#apply(imageId, { on: "broken", attempt, fetched, by: "store" });
      await this.#startAnew(imageId);
    }
    if (ending.end === "broken") this.#relay = ending.relay;
    const event = eventOf(ending, attempt, fetched);
    if (event === null) return "over";
    log.error(`fill.${ending.end}`, "cause" in ending ? ending.cause : new Error(ending.end), {
      image_id: imageId,
      attempt,
    });
    await this.#apply(imageId, event);
    return "over";
  }

  /** Readers are asked for theirs; where nobody reads, the queue has to wait, and another image has the place. */
  async #nobodysRights(imageId: string): Promise<void> {
    if (!this.#of(imageId).queued || this.#readers.count(Date.now()) > 0) return;
    await this.#apply(imageId, { on: "queued", queued: false });
    try {
      await this.#prefetch.withoutRights(imageId);
    } catch (cause) {
      // Cron finds an image that has its turn and no fill at work.
      this.#tools.log.error("catalog.unavailable", cause, { image_id: imageId });
    }
    this.#queueMoved();
  }

  /** A put to R2 hangs, and none can be called back: all that is remembered is on disk, and a new object goes on from there. */
  async #startAnew(imageId: string): Promise<never> {
    this.#tools.log.error("fill.put-hangs", new Error("a put did not end"), { image_id: imageId });
    await this.#storage.sync();
    this.ctx.abort("a put to R2 hangs: only a new object can go on");
    throw new Error("this object is gone");
  }

  /** Takes room for an attempt. @returns false when there is none; a D1 that is silent for a second does not keep it from running */
  async #admit({ attempt, size, subject }: Filling): Promise<boolean> {
    const { imageId } = subject;
    const asked = this.#askRoom(imageId, attempt, size);
    try {
      const word = await withDeadline("room", ROOM_MS, asked);
      // Not waited for: a refusal ends the pull, which waits for this word.
      if (word === "denied") this.ctx.waitUntil(this.#apply(imageId, { on: "room", attempt, answer: word }));
      return word === "had";
    } catch (cause) {
      if (!(cause instanceof DeadlineExceeded))
        this.#tools.log.error("catalog.unavailable", cause, { image_id: imageId });
      // A no that comes late does not take from readers what they read already: the put asks again.
      asked.catch(() => undefined);
      return true;
    }
  }

  async #askRoom(imageId: string, attempt: string, size: number): Promise<"had" | "denied"> {
    const { catalog, room, settings, log } = this.#tools;
    const fill = (id: string) => new FillClient(this.env.FILL, id, log);
    const tools = { catalog, room, fill, log, now: Date.now };
    const word = await takeRoom(tools, settings.cacheMaxBytes, { imageId, attempt, size });
    if (word === "had") await this.#apply(imageId, { on: "room", attempt, answer: word });
    // Stopped while it was asked: whoever did that gave the room back before it was taken.
    if (word === "had" && !this.#isCurrent(imageId, attempt)) await room.release(attempt);
    return word;
  }

  async #put(state: FillState): Promise<void> {
    const { imageId, phase } = state;
    if (this.#putting !== null || phase.is !== "complete") return;
    const { attempt } = phase;
    const { objects, slices, parts, log } = this.#tools;
    this.#putting = attempt;
    this.#putMovedAt = Date.now();
    try {
      if (phase.room !== "had") {
        const asked = this.#askRoom(imageId, attempt, phase.size);
        if ((await withDeadline("room", ROOM_AGAIN_MS, asked)) === "denied") {
          return await this.#noRoom(imageId, attempt);
        }
      }
      // Stopped while room was asked: what is there by now may be another attempt's.
      if (!this.#isCurrent(imageId, attempt)) return;
      await this.#apply(imageId, { on: "putting", attempt });
      const pause = () => {
        this.#putMovedAt = Date.now();
        return this.#readers.count(Date.now()) > 0 ? GIVE_WAY_MS : 0;
      };
      const end = await commit({
        filling: phase,
        slices,
        objects,
        parts,
        rangesFrom: rangesFrom(this.#of(imageId), Date.now()),
        pause,
        stopped: () => !this.#isCurrent(imageId, attempt),
      });
      // Stopped while it was put: it is there all the same.
      if (!this.#isCurrent(imageId, attempt)) return await this.#removeStopped(imageId, [attempt]);
      await this.#apply(imageId, { on: "put", attempt, answer: end });
    } catch (cause) {
      log.error("fill.put-failed", cause, { image_id: imageId, attempt });
      if (cause instanceof SliceMissing) {
        await this.#apply(imageId, { on: "failed", attempt, why: "fill-stopped", keep: false });
      } else if (this.#of(imageId).phase.is === "complete" && phase.room !== "had") {
        await this.#apply(imageId, { on: "postponed", attempt, until: Date.now() + ROOM_AGAIN_MS });
      } else {
        await this.#apply(imageId, { on: "put", attempt, answer: "unknown" });
      }
    } finally {
      this.#putting = null;
    }
  }

  /** A complete image has no room: its slices stay for those who read them, and go then. */
  async #noRoom(imageId: string, attempt: string): Promise<void> {
    const read = this.#readers.count(Date.now()) > 0;
    if (read) await this.#apply(imageId, { on: "postponed", attempt, until: Date.now() + ROOM_AGAIN_MS });
    else await this.#apply(imageId, { on: "room", attempt, answer: "denied" });
  }

  #isCurrent(imageId: string, attempt: string): boolean {
    const { phase } = this.#of(imageId);
    return (phase.is === "filling" || phase.is === "complete" || phase.is === "kept") && phase.attempt === attempt;
  }

  /** Removes all that an attempt has stored, then gives its room back. @throws whatever R2 or D1 throw */
  async #drop(imageId: string, attempt: string): Promise<void> {
    // Its puts under way have ended then.
    if (this.#pulling?.attempt === attempt && !this.#isCurrent(imageId, attempt)) await this.#pulling.ended;
    await this.#tools.parts.removeAll(imageId, attempt);
    await this.#dropSlices(imageId, attempt);
  }

  async #dropSlices(imageId: string, attempt: string): Promise<void> {
    await this.#tools.slices.removeAll(imageId, attempt);
    await this.#tools.room.release(attempt);
  }

  /** Removes once more what stopped attempts may have put after they were stopped. */
  async #bury(imageId: string, attempts: readonly string[]): Promise<void> {
    // One that is still being put is seen to when that has ended.
    const ended = attempts.filter((attempt) => attempt !== this.#putting);
    await this.#removeStopped(imageId, ended);
    await this.#apply(imageId, { on: "buried", attempts: ended });
  }

  async #removeStopped(imageId: string, attempts: readonly string[]): Promise<void> {
    const { objects, catalog } = this.#tools;
    const there = await objects.head(imageId);
    if (there !== null && there !== "foreign" && attempts.includes(there.attempt)) {
      await objects.remove(imageId);
      await catalog.remove(imageId);
    }
    for (const attempt of attempts) await this.#drop(imageId, attempt);
  }

  async #fetchQueued(imageId: string): Promise<void> {
    const { queue } = this.#tools;
    const begun = await this.#prefetch.look(imageId, this.#of(imageId));
    if (begun.do === "begin") {
      await this.#apply(imageId, { on: "queued", queued: true });
      const instead = await this.#begin(begun.subject);
      const { phase } = this.#of(imageId);
      if (instead === null && phase.is !== "kept") return;
      await this.#apply(imageId, { on: "queued", queued: false });
      if (phase.is === "kept") await queue.remove(imageId);
      else await queue.failed(imageId, "the store does not answer", Date.now());
    }
    if (begun.do === "over") this.#awakeUntil = 0;
    this.#queueMoved();
  }

  /** Whether rights are kept for an image that waits in the queue. */
  async #isAwaited(imageId: string): Promise<boolean> {
    const now = Date.now();
    if (now >= this.#awakeUntil || !this.#lent.queuerLent) return false;
    if (now < this.#lookAt) return true;
    this.#lookAt = now + LOOK_MS;
    try {
      return await this.#tools.queue.has(imageId);
    } catch (cause) {
      this.#tools.log.error("fill.queue-unknown", cause, { image_id: imageId });
      return true;
    }
  }

  #duty(state: FillState, now: number): Duty {
    return duty(state, this.#tools.settings.cleanStallMs, now, this.#readers.count(now));
  }

  async #schedule(state: FillState): Promise<void> {
    const now = Date.now();
    const due = this.#duty(state, now);
    const busy = state.phase.is === "filling" || state.phase.is === "complete";
    const awake = now < this.#awakeUntil && this.#lent.queuerLent;
    const beat = now + HEARTBEAT_MS;
    if (due.do === "pull" && !this.#lent.any && this.#readers.count(now) === 0 && state.phase.is === "filling") {
      // Nobody's rights, and nobody to ask for them: the next reader wakes it, or its end.
      return this.#storage.wakeAt(state.phase.storedAt + this.#tools.settings.cleanStallMs);
    }
    if (due.do === "wait") return this.#storage.wakeAt(busy || awake ? Math.min(due.until, beat) : due.until);
    if (due.do === "forget" && !awake && this.#storage.imageId() === null) return;
    // What is due is under way, or is done when the alarm rings.
    return this.#storage.wakeAt(due.do === "put" && this.#putting === null ? now : beat);
  }

  #queueMoved(): void {
    this.ctx.waitUntil(queueMoved({ ...this.#tools, fills: this.env.FILL }, Date.now()));
  }
}

/** What the end of a pull means to the fill; null when it has been told already. */
function eventOf(ending: PullEnd, attempt: string, fetched: number): Event | null {
  switch (ending.end) {
    case "mismatch":
      return { on: "mismatched", attempt };
    case "encoded":
      return { on: "failed", attempt, why: "encoded", keep: false };
    case "broken":
      return { on: "broken", attempt, fetched, by: "origin" };
    case "store-failed":
      return { on: "failed", attempt, why: "store-unavailable", keep: false };
    case "slices-lost":
      return { on: "failed", attempt, why: "fill-stopped", keep: false };
    case "complete":
    case "aborted":
    case "refused":
    case "store-hangs":
      return null;
  }
}

function describeProblem(why: string): string {
  switch (why) {
    case "digest-mismatch":
      return "the origin's data does not match the image's digest";
    case "no-room":
      return "there is no room within CACHE_MAX_BYTES";
    case "store-unavailable":
      return "R2 does not take the image";
    default:
      return `the fill ended: ${why}`;
  }
}
