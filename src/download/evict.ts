/**
 * Taking an image out of the cache: a running fill is stopped, the catalog row goes, so that nobody begins to read it,
 * then the slices.
 */
import type { Edge } from "../edge.ts";
import { FillClient } from "../fill/client.ts";

/** Evicts an image. Failures are logged, never thrown: they cost room in R2, not correctness. */
export async function evict(edge: Edge, imageId: string, why: string): Promise<void> {
  const { catalog, slices, log, fills } = edge;
  // The fill first: a commit of its own that is under way then undoes itself, and does not come behind this.
  await new FillClient(fills, imageId, log).stop();
  try {
    const { found, orphan } = await catalog.evict(imageId);
    if (found) log.info("image.evicted", { image_id: imageId, why });
    if (orphan !== null) await slices.removeGeneration(orphan.blob, orphan.generation);
  } catch (cause) {
    log.error("image.evict-failed", cause, { image_id: imageId });
  }
}
