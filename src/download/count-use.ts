/** Counts a hit, and keeps its image marked as in use while the download runs, so that nothing prunes it meanwhile. */
import type { Edge } from "../edge.ts";

/** How often a running download says so. Well below the time that one word lasts (usage.ts). */
const RENEW_MS = 20_000;

/** Counts a hit that is being sent. @param sending settles when the download has ended; its failure is not told here */
export async function countUse(edge: Edge, imageId: string, sending: Promise<unknown>): Promise<void> {
  const ended = new AbortController();
  const end = (): void => ended.abort();
  sending.then(end, end);
  edge.usage.hit(imageId, edge.now());
  for (;;) {
    await writeUse(edge);
    // Rejects when the download ends.
    const waited = await scheduler.wait(RENEW_MS, { signal: ended.signal }).catch(() => "ended");
    if (waited === "ended") return;
    edge.usage.stillInUse(imageId, edge.now());
  }
}

async function writeUse(edge: Edge): Promise<void> {
  const delay = edge.usage.planWrite(edge.now());
  if (delay === null) return;
  if (delay > 0) await scheduler.wait(delay);
  const uses = edge.usage.take(edge.now());
  try {
    await edge.catalog.recordUse(uses);
  } catch (cause) {
    edge.usage.giveBack(uses);
    edge.log.error("usage.not-written", cause, { images: uses.length });
  }
}
