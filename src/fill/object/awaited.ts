/** Whether the rights of who queued the image are kept for its turn: in memory only, so the object must stay awake for them. */

import type { LentRights } from "./lent.ts";
import type { FillTools } from "./tools.ts";

/** Keystone's default lifetime of a token: after that a lent one is worth nothing. */
const LENT_MS = 3_600_000;
/** How often a Fill that only keeps lent rights looks whether its image is queued still: 50,000 of them read D1 170 times a second. */
const LOOK_MS = 300_000;

export class AwaitedTurn {
  readonly #tools: FillTools;
  readonly #lent: LentRights;
  /** Until then the rights are kept; ms since the epoch. */
  #awakeUntil = 0;
  /** When to look whether it is queued still; ms since the epoch. */
  #lookAt = 0;

  constructor(tools: FillTools, lent: LentRights) {
    this.#tools = tools;
    this.#lent = lent;
  }

  /** Rights have been lent for its turn. @param now ms since the epoch */
  begin(now: number): void {
    this.#awakeUntil = now + LENT_MS;
    this.#lookAt = now + LOOK_MS;
  }

  /** Its turn is over, or never comes. */
  end(): void {
    this.#awakeUntil = 0;
  }

  /** Whether rights are kept, as far as is known without a look. @param now ms since the epoch */
  keeps(now: number): boolean {
    return now < this.#awakeUntil && this.#lent.queuerLent;
  }

  /** Whether rights are kept for an image that waits in the queue. */
  async isAwaited(imageId: string): Promise<boolean> {
    const now = Date.now();
    if (!this.keeps(now)) return false;
    if (now < this.#lookAt) return true;
    this.#lookAt = now + LOOK_MS;
    try {
      return await this.#tools.queue.has(imageId);
    } catch (cause) {
      this.#tools.log.error("fill.queue-unknown", cause, { image_id: imageId });
      return true;
    }
  }
}
