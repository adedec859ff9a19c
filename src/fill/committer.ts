/**
 * The end of a fill: its slices are read back, as far as they are stored and as they come, and if they are the image, the
 * catalog gets its rows.
 */

import { type FillKeeper, type FillTools, planOf } from "./keeper.ts";
import type { Subject } from "./protocol.ts";
import { committed, type FillState, mismatched } from "./rules.ts";
import { verifySlices } from "./verify.ts";

/** A read-back that follows a running fill gives up after so long without a new slice; the alarm starts it again. */
const FOLLOW_MS = 60_000;

export class Committer {
  readonly #keeper: FillKeeper;
  readonly #tools: FillTools;
  readonly #onCommit: (state: FillState) => void;
  #running: Promise<void> | null = null;

  constructor(keeper: FillKeeper, tools: FillTools, onCommit: (state: FillState) => void) {
    this.#keeper = keeper;
    this.#tools = tools;
    this.#onCommit = onCommit;
  }

  /**
   * Verifies and commits the current generation. One run at a time: a second call joins the first.
   * @throws whatever R2 or D1 throw
   */
  async run(): Promise<void> {
    this.#running ??= this.#verifyAndCommit().finally(() => {
      this.#running = null;
    });
    await this.#running;
  }

  async #verifyAndCommit(): Promise<void> {
    const { subject, state } = this.#keeper;
    if (subject === null || state === null) return;
    const { generation } = state;
    const verdict = await verifySlices({
      blob: subject.blob,
      digest: subject.digest,
      generation,
      plan: planOf(subject, state),
      slices: this.#tools.slices,
      etagOf: (slice) => this.#etagWhenStored(generation, slice),
      progressed: () => this.#progressed(generation),
    });
    const current = this.#keeper.of(generation);
    if (current === null || verdict === "gave-up") return;
    if (verdict === "agrees") await this.#commit(subject, current);
    // A store that loses what it took counts as well: the background would pull the image again and again.
    else await this.#keeper.drop(mismatched(current, Date.now()), verdict);
  }

  /** The etag of a slice as soon as it is stored; null when the generation goes or nothing comes any more. */
  async #etagWhenStored(generation: string, slice: number): Promise<string | null> {
    const deadline = Date.now() + FOLLOW_MS;
    for (;;) {
      const state = this.#keeper.of(generation);
      if (state === null || Date.now() >= deadline) return null;
      if (slice < state.stored) return this.#tools.storage.etag(slice);
      await this.#keeper.waiters.change(deadline - Date.now());
    }
  }

  /** Those who wait for the verdict see that it is coming. */
  #progressed(generation: string): void {
    const state = this.#keeper.of(generation);
    if (state !== null) this.#keeper.refresh({ ...state, progressAt: Date.now() });
  }

  async #commit(subject: Subject, state: FillState): Promise<void> {
    const { imageId, blob, checksum, size } = subject;
    const { generation, sliceBytes } = state;
    const { catalog, storage, log } = this.#tools;
    const image = { imageId, blob, checksum, size, generation, sliceBytes, etags: storage.etags() };
    const kept = await catalog.commit(image, Date.now());
    const current = this.#keeper.of(generation);
    if (current === null) {
      // Evicted while the commit was on its way: the eviction has the last word.
      const { orphan } = await catalog.evict(imageId, Date.now());
      if (orphan !== null) await this.#keeper.removeSlices(orphan.blob, orphan.generation);
      return;
    }
    log.info("fill.committed", { image_id: imageId, blob, size, own_copy: kept === generation });
    await this.#keeper.become(committed(current, Date.now()));
    this.#onCommit(current);
  }
}
