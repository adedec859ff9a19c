/**
 * Starts queued images, oldest first, up to PREFETCH_CONCURRENCY at a time. Called when one is queued, when one has ended,
 * and by cron; the claim in D1 keeps two callers from starting the same one.
 */

import type { Log } from "../lib/log.ts";
import type { Settings } from "../settings.ts";
import type { PrefetchQueue } from "../store/queue.ts";
import { FillClient, type Fills } from "./client.ts";

export interface QueueTools {
  readonly queue: PrefetchQueue;
  readonly fills: Fills;
  readonly settings: Pick<Settings, "prefetchConcurrency">;
  readonly log: Log;
}

/**
 * @param now ms since the epoch
 * @returns number of images started
 * @throws whatever D1 throws
 */
export async function advanceQueue({ queue, fills, settings, log }: QueueTools, now: number): Promise<number> {
  const started = await queue.claim(settings.prefetchConcurrency, now);
  await Promise.all(
    started.map(async (imageId) => {
      const answered = await new FillClient(fills, imageId, log).prefetch();
      if (!answered) await queue.failed(imageId, "the fill did not answer", now);
    }),
  );
  return started.length;
}

/** An image was queued, has ended, or was taken out: another one may have its turn. Never rejects: cron tries again. */
export async function queueMoved(tools: QueueTools, now: number): Promise<void> {
  try {
    await advanceQueue(tools, now);
  } catch (cause) {
    tools.log.error("queue.stuck", cause);
  }
}
