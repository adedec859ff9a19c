/** Emptying the cache and the queue. Rows go before the answer; slices follow, and what is left of them the clean takes. */
import type { Edge } from "../edge.ts";
import { FillClient } from "../fill/client.ts";
import { removeCondemned } from "../store/store.ts";

/** Blobs that are taken out in one transaction. */
const BATCH = 1_000;
/** Fills answer those who read along for a minute after their commit. */
const FRESH_MS = 120_000;

/** Takes all images out of the cache. Fills that clients share go on. @returns number of images */
export async function clearCache(edge: Edge): Promise<number> {
  const { catalog, generations, fills, log, now } = edge;
  const fresh = (await catalog.list()).filter(({ committedAt }) => committedAt > now() - FRESH_MS);
  let images = 0;
  for (;;) {
    const blobs = await generations.candidates(BATCH);
    if (blobs.length === 0) break;
    const evicted = await catalog.evictBlobs(
      blobs.map(({ generation }) => generation),
      "none",
      now(),
    );
    images += evicted.images.length;
    edge.background(removeCondemned(edge, evicted.orphans));
    // Somebody else took them all: what comes in meanwhile is theirs.
    if (evicted.orphans.length === 0) break;
  }
  // They would go on giving out what is no more.
  await Promise.all(fresh.map(({ imageId }) => new FillClient(fills, imageId, log).stopUnused()));
  log.info("cache.cleared", { images });
  return images;
}

/** Empties the queue, and ends what is being fetched for it alone. @returns number of images */
export async function clearQueue(edge: Edge): Promise<number> {
  const { queue, fills, log } = edge;
  const cleared = await queue.clear();
  const started = cleared.filter(({ startedAt }) => startedAt !== null);
  await Promise.all(started.map(({ imageId }) => new FillClient(fills, imageId, log).stopUnused()));
  log.info("queue.cleared", { images: cleared.length });
  return cleared.length;
}
