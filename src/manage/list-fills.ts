/**
 * How far queued images and running fills are: `GET /v2/cache/fills`, the edge's own. Glance has no such list, and its
 * `GET /v2/cache` can't carry it: glanceclient takes every further key there for a list of queued images.
 */
import type { Edge } from "../edge.ts";
import { FillClient } from "../fill/client.ts";

/** More fills than that are listed without their progress: each costs a call. */
const ASKED = 100;

export interface ListedFill {
  readonly image_id: string;
  /** Whether it waits for its turn, is being stored, or waits after a failure. */
  readonly state: "queued" | "filling" | "waiting";
  /** Null while nothing is being stored. */
  readonly slices_stored: number | null;
  readonly slices_total: number | null;
  /** Bytes of the whole image. */
  readonly size: number | null;
  /** Null for a fill that a download began. Times in seconds since the epoch. */
  readonly queued_at: number | null;
  readonly not_before: number | null;
  readonly attempts: number;
  readonly last_error: string | null;
}

/** Queued images, oldest first, then the fills that downloads began. */
export async function listFills({ queue, generations, fills, log, now }: Edge): Promise<ListedFill[]> {
  const [queued, filling] = await Promise.all([queue.list(), generations.filling(ASKED)]);
  const inQueue = new Set(queued.map(({ imageId }) => imageId));
  const others = [...new Set(filling.map(({ imageId }) => imageId))].filter((imageId) => !inQueue.has(imageId));
  const ids = [...inQueue, ...others];
  const asked = await Promise.all(ids.slice(0, ASKED).map((id) => new FillClient(fills, id, log).progress()));
  return ids.flatMap((imageId, index) => {
    const entry = queued.find((image) => image.imageId === imageId);
    const look = asked[index];
    const progress = look?.fill === "running" && !look.progress.committed ? look.progress : null;
    if (entry === undefined && progress === null) return [];
    const waits = entry !== undefined && entry.notBefore > now();
    return {
      image_id: imageId,
      state: progress !== null ? "filling" : waits ? "waiting" : "queued",
      slices_stored: progress?.slicesStored ?? null,
      slices_total: progress?.slicesTotal ?? null,
      size: progress?.size ?? null,
      queued_at: entry === undefined ? null : entry.queuedAt / 1000,
      not_before: waits ? entry.notBefore / 1000 : null,
      attempts: entry?.attempts ?? 0,
      last_error: entry?.lastError ?? null,
    };
  });
}
