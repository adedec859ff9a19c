/** Into the queue and out of it; each time another image may have its turn. */
import type { Edge } from "../context.ts";
import { FillClient } from "../fill/client.ts";
import { queueMoved } from "../fill/next.ts";
import { lentHeaders } from "../http/headers.ts";
import { endFetching } from "./clear.ts";

/**
 * Queues an image and starts it if it's its turn, under the rights of who queued it where the edge has none itself.
 * @returns false when what was cleared can't be removed: it would be found in its turn, not fetched
 */
export async function enqueue(edge: Edge, request: Request, imageId: string): Promise<boolean> {
  const state = await edge.catalog.stateOf(imageId);
  // It is stored already: its turn will not come, and nobody's rights are needed.
  if (state === "kept") return true;
  const fill = new FillClient(edge.fills, imageId, edge.log);
  if (state === "cleared" && (await fill.remove("unless-read")) === null) return false;
  // The rights first: the image's turn may come at once, by somebody else's doing.
  await fill.lend({
    target: { api: "v2", imageId },
    headers: lentHeaders(request.headers),
  });
  await edge.queue.add(imageId, edge.now());
  edge.background(queueMoved(edge, edge.now()));
  return true;
}

/**
 * Takes an image out of the queue, and ends what is being fetched for it alone.
 * @returns false when its Fill can't be reached: it stays in the queue
 */
export async function dequeue(edge: Edge, imageId: string): Promise<boolean> {
  if (!(await edge.queue.has(imageId))) return true;
  const { untold } = await endFetching(edge, [imageId]);
  edge.background(queueMoved(edge, edge.now()));
  return untold.length === 0;
}
