/** Counts a hit, and keeps an image marked as in use while a download of it runs, so that nothing prunes it meanwhile. */
import type { Edge } from "../edge.ts";

/** How often a running download says so. Well below the time that one word lasts (usage.ts). */
const RENEW_MS = 20_000;

/** Counts a hit that is being sent. @param sending settles when the download has ended; its failure is not told here */
export async function countHit(edge: Edge, imageId: string, sending: Promise<unknown>): Promise<void> {
  edge.usage.hit(imageId, edge.now());
  await writeUse(edge);
  await keepInUse(edge, imageId, sending);
}

/**
 * Keeps the image of a running download marked. One that shares a fill begins with the mark of the commit itself.
 * @param sending settles when the download has ended; its failure is not told here
 */
export async function keepInUse(edge: Edge, imageId: string, sending: Promise<unknown>): Promise<void> {
  const ended = new AbortController();
  const end = (): void => ended.abort();
  sending.then(end, end);
  for (;;) {
    // Rejects when the download ends.
    const waited = await scheduler.wait(RENEW_MS, { signal: ended.signal }).catch(() => "ended");
    if (waited === "ended") return;
    edge.usage.stillInUse(imageId, edge.now());
    await writeUse(edge);
  }
}

async function writeUse(edge: Edge): Promise<void> {
  const delay = edge.usage.planWrite(edge.now());
  if (delay === null) return;
  if (delay > 0) await scheduler.wait(delay);
  const uses = edge.usage.take(edge.now());
  if (uses.length === 0) return;
  try {
    await edge.catalog.recordUse(uses);
  } catch (cause) {
    edge.usage.giveBack(uses);
    edge.log.error("usage.not-written", cause, { images: uses.length });
  }
}
