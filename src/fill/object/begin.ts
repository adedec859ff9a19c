/** How an attempt begins: with a look at what R2 holds, which may be the image already, or may be gone though it was kept. */

import { isCopyOf, type StoredImage } from "../../store/objects.ts";
import { planSlices, sliceAt, sliceLength } from "../../store/slice-plan.ts";
import type { Answer, Subject } from "../protocol.ts";
import type { FillCore } from "./core.ts";
import { planParts } from "./parts.ts";
import { type Filling, isRunning, isStopped } from "./state.ts";
import type { FillTools } from "./tools.ts";

export class Beginning {
  readonly #core: FillCore;
  readonly #tools: FillTools;
  #running: Promise<Answer | null> | null = null;

  constructor(core: FillCore, tools: FillTools) {
    this.#core = core;
    this.#tools = tools;
  }

  /** Looks at what R2 holds, and begins an attempt where that is not the image. @returns an answer if none can begin */
  begin(subject: Subject): Promise<Answer | null> {
    // One at a time: a second one's late removal could take away what the first one's attempt has kept.
    this.#running ??= this.#begin(subject).finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #begin(subject: Subject): Promise<Answer | null> {
    const { objects, settings, log } = this.#tools;
    const { imageId } = subject;
    try {
      const there = await objects.head(imageId);
      const known = there !== null && there !== "foreign" && !isStopped(this.#core.of(imageId), there.attempt);
      if (known && isCopyOf(there, subject.digest, subject.size)) {
        await this.#core.apply(imageId, { on: "found", kept: { attempt: there.attempt, subject } });
        return null;
      }
      // v1 knows the MD5 alone, which nobody knows of an image in parts: fetched anew for v1, v2 would have it fetched once more.
      if (known && there.size === subject.size && isWeaker(subject, there)) return { do: "alone", why: "fill-weaker" };
      if (there !== null) {
        log.info("image.evicted", { image_id: imageId, why: "what is kept is stale, or of a stopped fill" });
        await objects.remove(imageId);
        // Its room is wanted for the new one; not waited for, since no download needs D1.
        const removed = this.#tools.catalog.remove(imageId);
        this.#core.background(
          removed.catch((cause: unknown) => log.error("catalog.unavailable", cause, { image_id: imageId })),
        );
      }
    } catch (cause) {
      log.error("store.unavailable", cause, { image_id: imageId });
      return { do: "alone", why: "store-unavailable" };
    }
    const sliceBytes = planSlices(subject.size, settings.sliceBytes);
    const partBytes = planParts(subject.size, sliceBytes, settings.objectMaxBytes);
    await this.#core.apply(imageId, { on: "begin", subject, attempt: crypto.randomUUID(), sliceBytes, partBytes });
    return null;
  }

  /** Somebody did not find what was kept, or the slice with this byte. */
  async look(imageId: string, attempt: string, at: number): Promise<void> {
    const { phase } = this.#core.of(imageId);
    if (isRunning(phase)) {
      if (phase.attempt === attempt) await this.#lookForSlice(phase, Math.min(at, phase.size - 1));
      return;
    }
    const there = await this.#kept(imageId, attempt).catch(() => "unknown" as const);
    if (there === "whole" || there === "unknown") return;
    // What a forgotten fill has kept is known to be lost as well.
    if (there !== "gone") await this.#core.apply(imageId, { on: "found", kept: { attempt, subject: there.broken } });
    await this.#core.apply(imageId, { on: "lost", attempt });
  }

  /** What R2 holds of a kept attempt; of one in parts all parts are looked for. @throws whatever R2 throws twice */
  async #kept(imageId: string, attempt: string): Promise<"whole" | "gone" | { readonly broken: Subject }> {
    const { objects, parts, log } = this.#tools;
    const there = await objects.head(imageId);
    if (there === null || there === "foreign" || there.attempt !== attempt) return "gone";
    if (there.kind === "image") return "whole";
    const open = await objects.open(imageId, null);
    const plan = open === null ? null : await objects.readPlan(open);
    if (plan !== null && (await parts.hasAll(there, plan.sums))) return "whole";
    log.error("fill.part-lost", new Error("a part of what is kept is gone"), { image_id: imageId, attempt });
    const { size, digest } = there;
    return { broken: { imageId, size, digest, checksum: null } };
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
    await this.#core.apply(imageId, { on: "failed", attempt, why: "fill-stopped", keep: false });
  }
}

/** Whether less is known of what is asked for than of what is kept, and nothing that both know tells them apart. */
function isWeaker({ digest }: Subject, { digests, digest: kept }: StoredImage): boolean {
  return digest.algorithm === "md5" && digests.md5 === undefined && kept.algorithm !== "md5";
}
