/** Counts a hit, and marks its image as in use, so that nothing prunes it meanwhile: behind the answer, never on its path. */
import type { Edge } from "../context.ts";

/** Never rejects: a hit that can't be written now is written with the next one. @param bytes of the answer */
export async function countHit(edge: Edge, imageId: string, bytes: number): Promise<void> {
  const { usage, catalog, log, now } = edge;
  usage.hit(imageId, bytes, now());
  const delay = usage.planWrite(now());
  if (delay === null) return;
  if (delay > 0) await scheduler.wait(delay);
  const uses = usage.take(now());
  if (uses.length === 0) return;
  try {
    await catalog.recordUse(uses);
  } catch (cause) {
    usage.giveBack(uses);
    log.error("usage.not-written", cause, { images: uses.length });
  }
}
