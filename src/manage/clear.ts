/** Emptying the cache and the queue. Rows go before the answer; slices follow, and what is left of them the clean takes. */
import type { Edge } from "../edge.ts";
import { FillClient } from "../fill/client.ts";
import { FRESH_MS } from "../store/catalog.ts";
import { sweep } from "../store/store.ts";

/** Blobs that are taken out in one transaction. */
const BATCH = 1_000;
/** Fills that are told at the same time, and at most: each is a call. */
const AT_ONCE = 20;
const FILLS = 1_000;
/** What goes on behind an answer has 30 s (Workers limits page). */
const SWEEP_MS = 20_000;

/** Takes all images out of the cache. Fills that clients share, or that the queue wants, go on. @returns number of images */
export async function clearCache(edge: Edge): Promise<number> {
  const { catalog, generations, queue, log, now } = edge;
  const [stored, filling, queued] = await Promise.all([catalog.list(), generations.filling(FILLS), queue.list()]);
  const wanted = new Set(queued.map(({ imageId }) => imageId));
  const unfinished = filling.map(({ imageId }) => imageId).filter((imageId) => !wanted.has(imageId));
  // Their Fills still answer those who read along, with slices that are going.
  const fresh = stored.filter(({ committedAt }) => committedAt > now() - FRESH_MS).map(({ imageId }) => imageId);
  let images = 0;
  for (;;) {
    const blobs = await generations.candidates(BATCH);
    const evicted = await catalog.evictBlobs(
      blobs.map(({ generation }) => generation),
      "none",
      now(),
    );
    images += evicted.images.length;
    // Somebody else took them all: what comes in meanwhile is theirs.
    if (evicted.orphans.length === 0) break;
  }
  await stopUnused(edge, [...unfinished, ...fresh]);
  const deadline = now() + SWEEP_MS;
  edge.background(
    sweep(edge, () => now() >= deadline).catch((cause: unknown) => log.error("store.sweep-failed", cause)),
  );
  log.info("cache.cleared", { images });
  return images;
}

/** Empties the queue, and ends what is being fetched for it alone. @returns number of images */
export async function clearQueue(edge: Edge): Promise<number> {
  const cleared = (await edge.queue.clear()).map(({ imageId }) => imageId);
  await stopUnused(edge, cleared);
  edge.log.info("queue.cleared", { images: cleared.length });
  return cleared.length;
}

async function stopUnused({ fills, log }: Edge, imageIds: readonly string[]): Promise<void> {
  for (let at = 0; at < imageIds.length; at += AT_ONCE) {
    const some = imageIds.slice(at, at + AT_ONCE);
    await Promise.all(some.map((imageId) => new FillClient(fills, imageId, log).stopUnused()));
  }
}
