/**
 * What a Fill removes from R2, and which room it gives back then: of attempts that were stopped, of the image itself, and what
 * the clean has found to be nobody's.
 */
import { isSameObject } from "../../store/objects.ts";
import type { CleanAnswer, RemoveAnswer } from "../protocol.ts";
import type { FillCore } from "./core.ts";
import type { Pulling } from "./pulling.ts";
import type { Readers } from "./readers.ts";
import { attemptOf, isCurrent, isRunning } from "./state.ts";
import type { FillTools } from "./tools.ts";

/** What a removal needs of its Fill. */
export interface RemovalParts {
  readonly core: FillCore;
  readonly tools: FillTools;
  readonly readers: Readers;
  readonly pulling: Pulling;
}

export class Removal {
  readonly #core: FillCore;
  readonly #tools: FillTools;
  readonly #readers: Readers;
  readonly #pulling: Pulling;

  constructor({ core, tools, readers, pulling }: RemovalParts) {
    this.#core = core;
    this.#tools = tools;
    this.#readers = readers;
    this.#pulling = pulling;
  }

  /** Takes the image out of the cache: all that there is of it. @throws whatever R2 throws when it is looked at */
  async remove(imageId: string, rule: "always" | "unless-read"): Promise<RemoveAnswer> {
    const { objects } = this.#tools;
    const there = await objects.head(imageId);
    // Only now: while R2 was asked an attempt may have begun, and have readers.
    const { phase } = this.#core.of(imageId);
    const read = rule === "unless-read" && this.#readers.count(Date.now()) > 0;
    if (read && isRunning(phase)) return "busy";
    const found = there === null || there === "foreign" ? {} : { found: there.attempt };
    await this.#core.apply(imageId, { on: "stop", read, ...found });
    if (there === null) return phase.is === "idle" ? "nothing" : "removed";
    // What an event asks for fails silently; who asked for the removal is to know.
    const left = await objects.head(imageId);
    return left !== null && isSameObject(left, there) ? "failed" : "removed";
  }

  /** Removes all that an attempt has stored, then gives its room back. @throws whatever R2 or D1 throw */
  async drop(imageId: string, attempt: string): Promise<void> {
    const pulled = this.#pulling.endOf(attempt);
    // Its puts under way have ended then.
    if (pulled !== null && !isCurrent(this.#core.of(imageId), attempt)) await pulled;
    await this.#tools.parts.removeAll(imageId, attempt);
    await this.dropSlices(imageId, attempt);
  }

  /** Removes an attempt's slices, then gives its room back. @throws whatever R2 or D1 throw */
  async dropSlices(imageId: string, attempt: string): Promise<void> {
    await this.#tools.slices.removeAll(imageId, attempt);
    await this.#tools.room.release(attempt);
  }

  /** Removes the image's object and its row. Its parts are its attempt's. @throws whatever R2 or D1 throw */
  async removeImage(imageId: string): Promise<void> {
    await this.#tools.objects.remove(imageId);
    await this.#tools.catalog.remove(imageId);
  }

  /** Removes what stopped attempts have put after they were stopped. @throws whatever R2 or D1 throw */
  async removeStopped(imageId: string, attempts: readonly string[]): Promise<void> {
    const there = await this.#tools.objects.head(imageId);
    if (there !== null && there !== "foreign" && attempts.includes(there.attempt)) {
      await this.removeImage(imageId);
    }
    for (const attempt of attempts) await this.drop(imageId, attempt);
  }

  /** Removes once more what stopped attempts may have put after they were stopped. Never rejects. */
  async bury(imageId: string, attempts: readonly string[]): Promise<void> {
    try {
      await this.removeStopped(imageId, attempts);
      await this.#core.apply(imageId, { on: "buried", attempts });
    } catch (cause) {
      this.#tools.log.error("fill.not-done", cause, { image_id: imageId, what: "bury" });
    }
  }

  /** Removes what the clean has found, unless it is in use. @param attempt null: the object under the image's own key */
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
    const { phase, tombstones } = this.#core.of(imageId);
    if (attemptOf(phase) === attempt || tombstones.some((stone) => stone.attempt === attempt)) return "in-use";
    const there = await this.#tools.objects.head(imageId);
    // What is kept names its parts, and is done with its slices.
    const kept = there !== null && there !== "foreign" && there.attempt === attempt;
    await (kept ? this.dropSlices(imageId, attempt) : this.drop(imageId, attempt));
    return kept && there.kind === "manifest" ? "in-use" : "removed";
  }

  async #cleanForeign(imageId: string): Promise<CleanAnswer> {
    if ((await this.#tools.objects.head(imageId)) !== "foreign") return "in-use";
    await this.removeImage(imageId);
    return "removed";
  }
}
