/** The turn of a queued image: looks at its record under the rights that there are, and tells the queue where it can't begin. */

import { askRecord, isGlance, type RecordAnswer } from "../../glance/ask-record.ts";
import { describe } from "../../lib/log.ts";
import { errandHeaders, type Subject } from "../protocol.ts";
import { judge } from "./judge.ts";
import type { LentRights } from "./lent.ts";
import type { FillState } from "./rules.ts";
import type { FillTools } from "./tools.ts";

/** An image that is not active yet is looked at again after so long. */
const NOT_ACTIVE_MS = 60_000;
const NO_RIGHTS = "nobody's rights to fetch it with: set service credentials, or queue it again";
const LEFT_ALONE = "the origin's data does not match the image's digest";

/** `over`: it has left the queue, and nobody's rights are needed any more. */
export type Begun = { readonly do: "begin"; readonly subject: Subject } | { readonly do: "later" | "over" };

interface Looked {
  readonly record: RecordAnswer;
  readonly seesAll: boolean;
}

export class Prefetch {
  readonly #tools: FillTools;
  readonly #lent: LentRights;

  constructor(tools: FillTools, lent: LentRights) {
    this.#tools = tools;
    this.#lent = lent;
  }

  /** Nobody's rights are left to fetch it with. @throws whatever D1 throws */
  async withoutRights(imageId: string): Promise<void> {
    await this.#tools.queue.failed(imageId, NO_RIGHTS, Date.now());
  }

  /** The image's turn has come. @throws whatever D1 throws */
  async look(imageId: string, state: FillState): Promise<Begun> {
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
      await this.withoutRights(imageId);
      return { do: "later" };
    }
    const kept = there === "foreign" ? null : there;
    const verdict = judge(imageId, looked.record, kept, looked.seesAll, settings);
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
      const headers = errandHeaders(taken.errand);
      const record = await askRecord(taken.errand.target, headers, settings);
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
