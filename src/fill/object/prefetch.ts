/** The turn of a queued image: looks at its record under the rights that there are, and tells the queue where it can't begin. */

import { askRecord, isGlance, type RecordAnswer } from "../../glance/ask-record.ts";
import { describe } from "../../lib/log.ts";
import { rightsHeaders, type Subject } from "../protocol.ts";
import type { AwaitedTurn } from "./awaited.ts";
import type { Beginning } from "./begin.ts";
import type { FillCore } from "./core.ts";
import { judge } from "./judge.ts";
import type { LentRights } from "./lent.ts";
import type { Readers } from "./readers.ts";
import type { FillState } from "./state.ts";
import type { FillTools } from "./tools.ts";

/** An image that is not active yet is looked at again after so long. */
const NOT_ACTIVE_MS = 60_000;
const NO_RIGHTS = "nobody's rights to fetch it with: set service credentials, or queue it again";
const LEFT_ALONE = "the origin's data does not match the image's digest";

/** `over`: it has left the queue, and nobody's rights are needed any more. */
type Begun = { readonly do: "begin"; readonly subject: Subject } | { readonly do: "later" | "over" };

interface Looked {
  readonly record: RecordAnswer;
  readonly seesAll: boolean;
}

/** What the turn of an image needs of its Fill. */
export interface PrefetchParts {
  readonly core: FillCore;
  readonly tools: FillTools;
  readonly lent: LentRights;
  readonly readers: Readers;
  readonly beginning: Beginning;
  readonly awaited: AwaitedTurn;
}

export class Prefetch {
  readonly #parts: PrefetchParts;
  readonly #tools: FillTools;
  readonly #lent: LentRights;

  constructor(parts: PrefetchParts) {
    this.#parts = parts;
    this.#tools = parts.tools;
    this.#lent = parts.lent;
  }

  /** The image's turn has come: begins an attempt for it, or gives its place to another one. @throws whatever D1 throws */
  async fetch(imageId: string): Promise<void> {
    const { core, beginning, awaited } = this.#parts;
    const { queue } = this.#tools;
    const begun = await this.#look(imageId, core.of(imageId));
    if (begun.do === "begin") {
      await core.apply(imageId, { on: "queued", queued: true });
      const instead = await beginning.begin(begun.subject);
      const { phase } = core.of(imageId);
      if (instead === null && phase.is !== "kept") return;
      await core.apply(imageId, { on: "queued", queued: false });
      if (phase.is === "kept") await queue.remove(imageId);
      else await queue.failed(imageId, "the store does not answer", Date.now());
    }
    if (begun.do === "over") awaited.end();
    core.queueMoved();
  }

  /** Readers are asked for theirs; where nobody reads, the queue has to wait, and another image has the place. */
  async nobodysRights(imageId: string): Promise<void> {
    const { core, readers } = this.#parts;
    if (!core.of(imageId).queued || readers.count(Date.now()) > 0) return;
    await core.apply(imageId, { on: "queued", queued: false });
    try {
      await this.#withoutRights(imageId);
    } catch (cause) {
      // Cron finds an image that has its turn and no fill at work.
      this.#tools.log.error("catalog.unavailable", cause, { image_id: imageId });
    }
    core.queueMoved();
  }

  /** @throws whatever D1 throws */
  async #withoutRights(imageId: string): Promise<void> {
    await this.#tools.queue.failed(imageId, NO_RIGHTS, Date.now());
  }

  /** @throws whatever D1 throws */
  async #look(imageId: string, state: FillState): Promise<Begun> {
    const { queue, log } = this.#tools;
    try {
      return await this.#judge(imageId, state);
    } catch (cause) {
      log.error("prefetch.failed", cause, { image_id: imageId });
      await queue.failed(imageId, describe(cause), Date.now());
      return { do: "later" };
    }
  }

  async #judge(imageId: string, state: FillState): Promise<Begun> {
    const { queue, objects, settings, log } = this.#tools;
    const [looked, there] = await Promise.all([this.#ask(imageId), objects.head(imageId)]);
    if (looked === null) {
      await this.#withoutRights(imageId);
      return { do: "later" };
    }
    const kept = there === "foreign" ? null : there;
    const byPolicy = await queue.isByPolicy(imageId);
    const verdict = judge(imageId, looked.record, kept, { seesAll: looked.seesAll, byPolicy }, settings);
    switch (verdict.do) {
      case "fill":
        // Taken out of the queue while the origin was asked.
        if (!(await queue.has(imageId))) return { do: "over" };
        if (Date.now() < state.leftAloneUntil) {
          // Only a client's own download tries data that was wrong again.
          await queue.failed(imageId, LEFT_ALONE, Date.now());
          return { do: "later" };
        }
        return { do: "begin", subject: verdict.subject };
      case "wait":
        await queue.postpone(imageId, verdict.reason, Date.now() + NOT_ACTIVE_MS);
        return { do: "later" };
      case "fail":
        await queue.failed(imageId, verdict.reason, Date.now());
        log.info("prefetch.failed", { image_id: imageId, why: verdict.reason });
        return { do: "later" };
      case "done":
      case "gone":
        log.info("prefetch.left-queue", { image_id: imageId, why: verdict.do });
        await queue.remove(imageId);
        return { do: "over" };
    }
  }

  /** The image's record; under other rights, should there be some, where the first ones are refused. */
  async #ask(imageId: string): Promise<Looked | null> {
    const { settings } = this.#tools;
    let looked: Looked | null = null;
    // A renewed service token, the queuer's and the newest readers': more than that there are not.
    for (let tries = 0; tries < 6; tries++) {
      const taken = await this.#lent.take(imageId);
      if (taken === null) break;
      const headers = rightsHeaders(taken.rights);
      const record = await askRecord(taken.rights.target, headers, settings);
      if (record.kind === "not-found" && taken.seesAll && !(await isGlance(headers, settings))) {
        throw new Error("the image seems to be gone, but what says so at ORIGIN_URL is not Glance");
      }
      looked = { record, seesAll: taken.seesAll };
      const hidden = record.kind === "not-found" && !taken.seesAll;
      const status = hidden ? 404 : record.kind === "refused" ? record.status : null;
      // A failure of the origin says nothing about the rights.
      if (status === null || status >= 500) break;
      this.#lent.refused(taken, status);
    }
    return looked;
  }
}
