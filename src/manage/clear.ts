import type { Edge } from "../edge.ts";
import { FillClient } from "../fill/client.ts";

export async function clearCache(edge: Edge): Promise<number> {
  const images = await edge.catalog.list();
  for (const { imageId } of images) await new FillClient(edge.fills, imageId, edge.log).remove("unless-read");
  return images.length;
}

export async function clearQueue(edge: Edge): Promise<number> {
  const cleared = (await edge.queue.clear()).filter(({ startedAt }) => startedAt !== null);
  for (const { imageId } of cleared) await new FillClient(edge.fills, imageId, edge.log).unqueue();
  return cleared.length;
}
