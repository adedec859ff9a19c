/**
 * Emptying the cache and the queue, of whatever length: a fixed number of statements in D1, and calls to Fills within a bound
 * of time. What is left is upkeep's (upkeep/cleared.ts), and what is idle finds out by itself: a Fill whose image waited looks
 * whether it is queued still.
 */
import type { Edge } from "../context.ts";
import { FillClient } from "../fill/client.ts";
import { removeCleared } from "../upkeep/cleared.ts";

/** Fills that are told at the same time. */
const AT_ONCE = 20;
/** Nobody else is told after it: each call may take 5 s, and clients and proxies wait for no more than a minute. */
const TELL_MS = 20_000;
/** How long who clears the cache waits for objects that nobody lists any more: some thousand of them go meanwhile. */
const REMOVE_MS = 5_000;

/** Takes all images out of the cache. Fills that clients read go on. @returns number of images */
export async function clearCache(edge: Edge): Promise<number> {
  const images = await edge.catalog.clear(edge.now());
  const removed = await removeCleared(edge, edge.now() + REMOVE_MS);
  edge.log.info("cache.cleared", { images, removed });
  return images;
}

export interface Dequeued {
  /** Number of images that are out of the queue now. */
  readonly images: number;
  /** Images whose Fill can't be reached: they stay in the queue, and whoever asks again finds them. */
  readonly untold: readonly string[];
}

/** Empties the queue, and ends what is being fetched for it alone. */
export async function clearQueue(edge: Edge): Promise<Dequeued> {
  const { removed, busy } = await edge.queue.clearIdle();
  const end = edge.now() + TELL_MS;
  let images = removed;
  const untold: string[] = [];
  for (let at = 0; at < busy.length; at += AT_ONCE) {
    const some = busy.slice(at, at + AT_ONCE);
    const ended = edge.now() >= end ? { images: 0, untold: some } : await endFetching(edge, some);
    images += ended.images;
    untold.push(...ended.untold);
  }
  edge.log.info("queue.cleared", { images, untold: untold.length });
  return { images, untold };
}

/**
 * Takes images out of the queue, and ends what is being fetched for it alone. A Fill is told before its row goes: should this
 * request die, or the Fill not answer, the row is still there, and the next request tells it. And once more after it: a
 * Fill that was looking at the image's record would have found the row, and begun.
 */
export async function endFetching(edge: Edge, imageIds: readonly string[]): Promise<Dequeued> {
  const { told, untold } = await unqueue(edge, imageIds);
  const images = await edge.queue.removeAll(told);
  await unqueue(edge, told);
  return { images, untold };
}

async function unqueue({ fills, log }: Edge, imageIds: readonly string[]) {
  const told: string[] = [];
  const untold: string[] = [];
  await Promise.all(
    imageIds.map(async (imageId) => {
      const answered = await new FillClient(fills, imageId, log).unqueue();
      (answered ? told : untold).push(imageId);
    }),
  );
  return { told, untold };
}
