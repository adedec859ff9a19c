/**
 * What a Fill does by itself, when its alarm rings: finishes what nobody pulls, reads back and commits what is stored,
 * fetches an image that was queued, forgets what is over.
 */
import { describe } from "../observe/log.ts";
import { askRecord, isGlance, type RecordAnswer } from "../origin/authorize.ts";
import { ImageBodyError } from "../origin/image-body.ts";
import type { Admissions } from "./admission.ts";
import { pullInBackground } from "./background.ts";
import type { Committer } from "./committer.ts";
import type { FillKeeper, FillTools } from "./keeper.ts";
import { judge } from "./prefetch.ts";
import { errandHeaders, type Subject, type Turn } from "./protocol.ts";
import type { Rights } from "./rights.ts";
import {
  answer,
  compareSubjects,
  duty,
  exhausted,
  type FillState,
  givenUp,
  isLeftAlone,
  LEFT_ALONE_MS,
  setBack,
  wanted,
} from "./rules.ts";
import type { LeaseHolder } from "./slice-writer.ts";

/** A queue that could not be told is told again after so long. */
const TELL_AGAIN_MS = 30_000;
/** An image that is not active yet is looked at again after so long. */
const NOT_ACTIVE_MS = 60_000;

/** The background's name as a reader. */
export const BACKGROUND = "background";

type PullTurn = Extract<Turn, { do: "pull" }>;

/** What the Fill itself lends its watchdog. */
export interface WatchdogHost {
  readonly keeper: FillKeeper;
  readonly committer: Committer;
  readonly rights: Rights;
  readonly admissions: Admissions;
  /** Takes note that the background pulls now. */
  readonly granted: (state: FillState) => Promise<void>;
  readonly lease: (turn: PullTurn) => LeaseHolder;
  /** A place among those who are fetched at the same time is free. */
  readonly queueMoved: () => void;
}

export class Watchdog {
  readonly #host: WatchdogHost;
  readonly #tools: FillTools;
  /** Why the last attempt brought nothing, for the queue. */
  #failure: string | null = null;

  constructor(host: WatchdogHost, tools: FillTools) {
    this.#host = host;
    this.#tools = tools;
  }

  /** The alarm rang. */
  async ring(): Promise<void> {
    const { keeper, committer } = this.#host;
    const { state, subject } = keeper;
    if (state === null || subject === null) return;
    const task = duty(state, Date.now(), this.#tools.settings.cleanStallMs);
    try {
      if (task.do === "fill") await this.#fill(subject, state);
      if (task.do === "verify") await committer.run();
      if (task.do === "forget") await keeper.forget();
      if (task.do === "give-up") await this.#giveUp(subject, state);
    } catch (cause) {
      this.#tools.log.error("fill.background-failed", cause, { image_id: subject.imageId, task: task.do });
      // Nothing but time mends a queue that can't be told, and its duty is due at once: not in a circle without a pause.
      if (task.do === "give-up") return this.#tools.storage.wakeAt(Date.now() + TELL_AGAIN_MS);
      await this.#setBack(state.generation, describe(cause));
    }
    await keeper.schedule();
  }

  /**
   * The image's turn in the queue has come: looks at its record and begins, or tells the queue why not.
   * @returns whether the rights to fetch it are still needed, now or for another turn
   */
  async prefetch(imageId: string): Promise<boolean> {
    const { queue, log } = this.#tools;
    let begun: "fetching" | "later" | "over" = "later";
    try {
      begun = await this.#begin(imageId);
    } catch (cause) {
      log.error("prefetch.failed", cause, { image_id: imageId });
      await queue.failed(imageId, describe(cause), Date.now());
    }
    if (begun !== "fetching") this.#host.queueMoved();
    return begun !== "over";
  }

  async #begin(imageId: string): Promise<"fetching" | "later" | "over"> {
    const { keeper } = this.#host;
    const { queue, catalog, settings, log } = this.#tools;
    const [looked, stored] = await Promise.all([this.#look(imageId), catalog.find(imageId)]);
    if (looked === null) {
      await queue.failed(imageId, NO_RIGHTS, Date.now());
      return "later";
    }
    const verdict = judge(imageId, looked.record, stored, looked.seesAll, settings);
    switch (verdict.do) {
      case "fill": {
        // Taken out of the queue, or committed by a client's download, while the origin was asked.
        if (!(await queue.has(imageId))) return "over";
        // What was begun may be of another record, and what was committed out of the catalog again.
        const { subject, state: old } = keeper;
        const changed = subject !== null && compareSubjects(subject, verdict.subject) === "other";
        if (changed || (old !== null && old.committedAt !== null)) await keeper.forget();
        else if (old !== null && isLeftAlone(old, Date.now())) {
          await queue.postpone(imageId, MISMATCH, old.mismatchedAt + LEFT_ALONE_MS);
          return "later";
        }
        const state = keeper.state ?? keeper.begin(verdict.subject);
        await keeper.become(wanted(state, Date.now()));
        return "fetching";
      }
      case "wait":
        await queue.postpone(imageId, verdict.reason, Date.now() + NOT_ACTIVE_MS);
        return "later";
      case "fail":
        await queue.failed(imageId, verdict.reason, Date.now());
        log.info("prefetch.failed", { image_id: imageId, why: verdict.reason });
        return "later";
      case "done":
      case "gone":
        log.info("prefetch.left-queue", { image_id: imageId, why: verdict.do });
    }
    await queue.remove(imageId);
    return "over";
  }

  /** The image's record; under other rights, should there be some, where the first ones are refused. */
  async #look(imageId: string): Promise<{ readonly record: RecordAnswer; readonly seesAll: boolean } | null> {
    const { rights } = this.#host;
    const { origin } = this.#tools.settings;
    let looked: { readonly record: RecordAnswer; readonly seesAll: boolean } | null = null;
    for (const _ of ["first", "other"]) {
      const taken = await rights.take(imageId);
      if (taken === null) break;
      const { errand, seesAll } = taken;
      const headers = errandHeaders(errand);
      const record = await askRecord(errand.target, headers, origin);
      if (record.kind === "not-found" && seesAll && !(await isGlance(headers, origin))) {
        throw new Error("the image seems to be gone, but what says so at ORIGIN_URL is not Glance");
      }
      looked = { record, seesAll };
      const hidden = record.kind === "not-found" && !seesAll;
      const status = hidden ? 404 : record.kind === "refused" ? record.status : null;
      // A failure of the origin says nothing about the rights.
      if (status === null || status >= 500) break;
      rights.refused(taken, status);
      // Only a token that was revoked gives way to another one of the same account.
      if (status !== 401 && !rights.lent) break;
    }
    return looked;
  }

  async #fill(subject: Subject, state: FillState): Promise<void> {
    const { rights, admissions, keeper } = this.#host;
    const { log, settings, slices } = this.#tools;
    const { imageId, blob, size } = subject;
    const taken = await rights.take(imageId);
    if (taken === null) {
      log.info("fill.waits-for-download", { image_id: imageId, stored: state.stored });
      return this.#change(state.generation, exhausted, NO_RIGHTS);
    }
    const admission = await admissions.ask({ imageId, blob, size, generation: state.generation });
    if (admission === "no-room")
      return this.#change(state.generation, exhausted, "there is no room within CACHE_MAX_BYTES");
    // What was asked for meanwhile may have changed it.
    const current = keeper.of(state.generation);
    if (current === null) return;
    const ask = { reader: BACKGROUND, generation: null, need: { what: "slice", slice: current.stored } } as const;
    const now = Date.now();
    const { state: leased, answer: turn } = answer(current, ask, crypto.randomUUID(), now, settings.stallMs);
    if (turn.do !== "pull") return;
    await this.#host.granted(leased);
    try {
      const lease = this.#host.lease(turn);
      const end = await pullInBackground({
        subject,
        turn,
        errand: taken.errand,
        origin: settings.origin,
        slices,
        lease,
        log,
      });
      // The store refused, or somebody else pulls: not at once again.
      if (end !== "stored") await this.#setBack(turn.generation, `the pull ended early: ${end}`);
    } catch (cause) {
      if (
        cause instanceof ImageBodyError &&
        cause.problem.reason === "refused" &&
        cause.problem.response.status < 500
      ) {
        rights.refused(taken, cause.problem.response.status);
      }
      throw cause;
    }
  }

  #setBack(generation: string, why: string): Promise<void> {
    return this.#change(generation, (state) => setBack(state, Date.now()), why);
  }

  async #change(generation: string, next: (state: FillState) => FillState, why: string): Promise<void> {
    this.#failure = why;
    const state = this.#host.keeper.of(generation);
    if (state !== null) await this.#host.keeper.become(next(state));
  }

  /** Tells the queue that the fetching of a queued image got nowhere. That it is done, the commit tells. */
  async #giveUp({ imageId }: Subject, state: FillState): Promise<void> {
    const { keeper, queueMoved } = this.#host;
    const { queue, log } = this.#tools;
    const leftAlone = isLeftAlone(state, Date.now());
    const why = leftAlone ? MISMATCH : this.#failure;
    log.info("prefetch.failed", { image_id: imageId, why });
    // The queue first: should it fail, the alarm comes again.
    await queue.failed(imageId, why ?? "the fill was given up", Date.now());
    await keeper.become(givenUp(state));
    queueMoved();
  }
}

const MISMATCH = "the origin's data does not match the image's digest";
const NO_RIGHTS = "nobody's rights to fetch it with: set service credentials, or queue it again";
