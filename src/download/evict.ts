/**
 * Taking an image out of the cache: a running fill is stopped, the catalog row goes, so that nobody begins to read it,
 * then the slices.
 */
import type { Edge } from "../edge.ts";
import { FillClient } from "../fill/client.ts";
import { removeCondemned } from "../store/store.ts";

/**
 * Failures are logged, never thrown: they cost room in R2, not correctness.
 * @param fill what becomes of a running fill: "unless-in-use" leaves one that clients download through
 * @returns whether the image was stored
 */
export async function evict(
  edge: Edge,
  imageId: string,
  why: string,
  fill: "stop" | "unless-in-use" = "stop",
): Promise<boolean> {
  // The fill first: a commit of its own that is under way then undoes itself, and does not come behind this.
  const client = new FillClient(edge.fills, imageId, edge.log);
  await (fill === "stop" ? client.stop() : client.stopUnused());
  try {
    const { found, orphan } = await edge.catalog.evict(imageId, edge.now());
    if (found) edge.log.info("image.evicted", { image_id: imageId, why });
    if (orphan !== null) await removeCondemned(edge, [orphan]);
    return found;
  } catch (cause) {
    edge.log.error("image.evict-failed", cause, { image_id: imageId });
    return false;
  }
}
