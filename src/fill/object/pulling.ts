/** The pull of a Fill, one at a time: begun where there are rights to ask the origin under, and its end told to the rules. */

import type { FillProblem, Relay } from "../protocol.ts";
import type { Admission } from "./admission.ts";
import type { FillCore } from "./core.ts";
import { countPull } from "./count.ts";
import type { Event } from "./events.ts";
import type { LentRights } from "./lent.ts";
import type { BufferPool } from "./pool.ts";
import type { Prefetch } from "./prefetch.ts";
import { pull } from "./pull.ts";
import type { PullEnd } from "./pull-end.ts";
import type { Readers } from "./readers.ts";
import { type Filling, isCurrent } from "./state.ts";
import type { FillTools } from "./tools.ts";

/** What a pull needs of its Fill. */
export interface PullingParts {
  readonly core: FillCore;
  readonly tools: FillTools;
  readonly lent: LentRights;
  readonly readers: Readers;
  readonly prefetch: Prefetch;
  readonly admission: Admission;
  /** The isolate's, and under which name this Fill takes from it. */
  readonly pool: BufferPool;
  readonly owner: string;
}

export class Pulling {
  readonly #parts: PullingParts;
  #running: { readonly attempt: string; readonly ended: Promise<void>; readonly abort: AbortController } | null = null;
  /** The last pull found nobody's rights to ask the origin under. */
  #withoutRights = false;
  #relay: { readonly attempt: string; readonly said: Relay } | null = null;

  constructor(parts: PullingParts) {
    this.#parts = parts;
  }

  get isRunning(): boolean {
    return this.#running !== null;
  }

  /** Nothing is pulled until somebody lends the right to. */
  get needsRights(): boolean {
    return this.#running === null && (this.#withoutRights || !this.#parts.lent.any);
  }

  /** What the origin said, for those who are told of a failure: where that, and nothing else, is why the attempt failed. */
  relayFor(imageId: string, why: FillProblem): Relay | null {
    const { phase } = this.#parts.core.of(imageId);
    if (why !== "fill-failed" || phase.is !== "failed" || phase.attempt !== this.#relay?.attempt) return null;
    return this.#relay.said;
  }

  /** Somebody has lent rights. */
  rightsLent(): void {
    this.#withoutRights = false;
  }

  /** The first pull since an attempt began, or goes on: what broke the one before is none of it. */
  begin(): void {
    this.#relay = null;
    this.start();
  }

  /** Begins a pull, if one is due and there is none. */
  start(): void {
    const { core, lent, readers, prefetch, tools } = this.#parts;
    const phase = core.known()?.phase;
    if (this.#running !== null || phase?.is !== "filling" || Date.now() < phase.notBefore) return;
    if (!lent.any) {
      core.background(prefetch.nobodysRights(phase.subject.imageId));
      return;
    }
    const abort = new AbortController();
    const ended = this.#pull(phase, abort.signal)
      .catch((cause: unknown): "over" => {
        tools.log.error("fill.pull-failed", cause, { image_id: phase.subject.imageId });
        return "over";
      })
      .then((next) => {
        if (this.#running?.abort === abort) this.#running = null;
        readers.wake();
        if (next === "under-other-rights" || !isCurrent(core.of(phase.subject.imageId), phase.attempt)) this.start();
      });
    this.#running = { attempt: phase.attempt, ended, abort };
    core.background(ended);
  }

  abort(): void {
    this.#running?.abort.abort();
  }

  /** The end of this attempt's pull, its puts included; null when none is under way. */
  endOf(attempt: string): Promise<void> | null {
    return this.#running?.attempt === attempt ? this.#running.ended : null;
  }

  async #pull(filling: Filling, signal: AbortSignal): Promise<"over" | "under-other-rights"> {
    const { core, tools, lent, prefetch, admission, pool, owner } = this.#parts;
    const { settings, slices, meter, log } = tools;
    const { imageId } = filling.subject;
    const { attempt } = filling;
    const taken = await lent.take(imageId);
    if (taken === null) {
      log.info("fill.waits-for-download", { image_id: imageId, stored: filling.stored });
      this.#withoutRights = true;
      await prefetch.nobodysRights(imageId);
      return "over";
    }
    const admitted = filling.room === "had" ? Promise.resolve(true) : admission.admit(filling);
    let counted = filling.fetched;
    const count = (bytes: number) => {
      meter.add("bytes", "origin", bytes - counted);
      counted = bytes;
    };
    const { fetched, firstByteMs, ...ending } = await pull({
      filling,
      rights: taken.rights,
      at: settings,
      stallMs: settings.stallMs,
      slices,
      pool,
      owner,
      signal,
      log,
      admitted,
      stored: (stored, bytes, sums) => {
        // It gives data by now: its refusal is not what the attempt fails by later.
        this.#relay = null;
        count(bytes);
        core.background(core.apply(imageId, { on: "stored", attempt, stored, fetched: bytes, sums }));
      },
    });
    count(fetched);
    countPull(ending, firstByteMs, meter);
    // Its puts have ended: what is to be done about its end may wait for that.
    this.#running = null;
    if (ending.end === "refused") {
      log.info("fill.right-refused", { image_id: imageId, status: ending.status, from: taken.from });
      lent.refused(taken, ending.status);
      if (lent.any) return "under-other-rights";
      await prefetch.nobodysRights(imageId);
      return "over";
    }
    if (ending.end === "store-hangs") {
      // Counted, or a store that hangs each time would keep its readers waiting for ever.
      await core.apply(imageId, { on: "broken", attempt, fetched, by: "store" });
      await core.startAnew(imageId);
    }
    if (ending.end === "broken") this.#relay = ending.relay === null ? null : { attempt, said: ending.relay };
    const event = eventOf(ending, attempt, fetched);
    if (event === null) return "over";
    log.error(`fill.${ending.end}`, "cause" in ending ? ending.cause : new Error(ending.end), {
      image_id: imageId,
      attempt,
    });
    await core.apply(imageId, event);
    return "over";
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
    case "no-memory":
      return { on: "broken", attempt, fetched, by: "store" };
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
