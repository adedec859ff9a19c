/** Counts a hit, and marks its image as in use, so that nothing prunes it meanwhile: behind the answer, never on its path. */
import type { Edge } from "../context.ts";
import { writeBehind } from "../store/write-behind.ts";

/** A hit that can't be written now is written with the next one. @param bytes of the answer */
export function countHit(edge: Edge, imageId: string, bytes: number): void {
  const { usage, catalog, background, log, now } = edge;
  usage.hit(imageId, bytes, now());
  const written = writeBehind(
    usage,
    (uses) => catalog.recordUse(uses),
    now,
    (cause, images) => log.error("usage.not-written", cause, { images }),
  );
  if (written !== null) background(written);
}
