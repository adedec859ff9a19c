/**
 * Emptying the cache and the queue, of whatever length: a fixed number of statements in D1, and a call for each Fill that is
 * at work, which are few. What is idle finds out by itself: a Fill whose image waited looks whether it is queued still
 * (fill/fill.ts), and slices that are left the sweep and the clean take.
 */
import type { Edge } from "../edge.ts";
import { FillClient } from "../fill/client.ts";
import { FRESH_MS } from "../store/catalog.ts";
import { BEGINNING } from "../store/queue.ts";
import { sweep } from "../store/store.ts";

/** Fills that are told at the same time, and at most of each kind: each is a call. */
const AT_ONCE = 20;
const FILLS = 1_000;
/** Nobody else is told after it: each call may take 5 s, and clients and proxies wait for no more than a minute. */
const TELL_MS = 20_000;
/** What goes on behind an answer has 30 s (Workers limits page). */
const SWEEP_MS = 20_000;

/** Takes all images out of the cache. Fills that clients share, or that the queue wants, go on. @returns number of images */
export async function clearCache(edge: Edge): Promise<number> {
  const { catalog, generations, log, now } = edge;
  const [unfinished, fresh] = await Promise.all([
    generations.fillingUnqueued(BEGINNING, FILLS),
    // Their Fills still answer those who read along, with slices that are going.
    catalog.committedAfter(now() - FRESH_MS, FILLS),
  ]);
  // The Fills first: their rows are what a request that comes again, after one that timed out, finds them by. And a commit
  // that is under way then undoes itself, and does not come behind this.
  const late = deadline(edge, TELL_MS);
  const untold: string[] = [];
  for (const some of batches([...unfinished.map(({ imageId }) => imageId), ...fresh])) {
    untold.push(...(late() ? some : (await stopUnused(edge, some)).untold));
  }
  const images = await catalog.evictAll(now());
  edge.background(
    sweep(edge, deadline(edge, SWEEP_MS)).catch((cause: unknown) => log.error("store.sweep-failed", cause)),
  );
  log.info("cache.cleared", { images, untold: untold.length });
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
  const late = deadline(edge, TELL_MS);
  let images = removed;
  const untold: string[] = [];
  for (const some of batches(busy)) {
    const ended = late() ? { images: 0, untold: some } : await endFetching(edge, some);
    images += ended.images;
    untold.push(...ended.untold);
  }
  edge.log.info("queue.cleared", { images, untold: untold.length });
  return { images, untold };
}

/**
 * Takes images out of the queue, and ends what is being fetched for it alone. A Fill is told before its row goes: should this
 * request die, or the Fill not answer, the row is still there, and the next request tells it. And once more after it: a
 * Fill that was looking at the image's record (fill/watchdog.ts) would have found the row, and begun.
 */
export async function endFetching(edge: Edge, imageIds: readonly string[]): Promise<Dequeued> {
  const { told, untold } = await stopUnused(edge, imageIds);
  const images = await edge.queue.removeAll(told);
  await stopUnused(edge, told);
  return { images, untold };
}

async function stopUnused({ fills, log }: Edge, imageIds: readonly string[]) {
  const answers = await Promise.all(
    imageIds.map(async (imageId) => ({ imageId, told: await new FillClient(fills, imageId, log).stopUnused() })),
  );
  const ids = (told: boolean) => answers.filter((one) => one.told === told).map(({ imageId }) => imageId);
  return { told: ids(true), untold: ids(false) };
}

function batches(imageIds: readonly string[]): (readonly string[])[] {
  const count = Math.ceil(imageIds.length / AT_ONCE);
  return Array.from({ length: count }, (_, index) => imageIds.slice(index * AT_ONCE, (index + 1) * AT_ONCE));
}

function deadline({ now }: Edge, ms: number): () => boolean {
  const end = now() + ms;
  return () => now() >= end;
}
