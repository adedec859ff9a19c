/** Makes room by giving up what was used least recently. Rows only: who calls removes the slices, or leaves them to a sweep. */
import type { Generation, Room } from "./generations.ts";
import { leastRecentlyUsed } from "./least-recently-used.ts";
import type { Store } from "./store.ts";

/** Blobs that are looked at in one go: about 100 bytes each in memory. */
const CANDIDATES = 5_000;

export interface GivenUp {
  /** Images, as Glance counts its cached files. */
  readonly files: number;
  readonly bytes: number;
  /** Their slices are still there, and count as room taken. */
  readonly orphans: readonly Generation[];
}

/** Bytes that stay taken when all that is being removed has gone. */
export function taken(room: Room): number {
  return room.committed + room.filling;
}

/**
 * Gives up the least recently used blobs.
 * @param wanted bytes
 * @param rule "all-or-nothing": nothing goes when it would not be enough
 * @param now ms since the epoch
 * @throws whatever D1 throws
 */
export async function giveUp(
  store: Store,
  wanted: number,
  rule: "all-or-nothing" | "what-there-is",
  now: number,
): Promise<GivenUp> {
  const nothing = { files: 0, bytes: 0, orphans: [] };
  if (wanted <= 0) return nothing;
  const choice = leastRecentlyUsed(await store.generations.candidates(CANDIDATES), wanted, now);
  if (choice.blobs.length === 0 || (rule === "all-or-nothing" && choice.bytes < wanted)) return nothing;
  const generations = choice.blobs.map(({ generation }) => generation);
  const { orphans, images, bytes } = await store.catalog.evictBlobs(generations, "in-use", now);
  for (const imageId of images) store.log.info("image.evicted", { image_id: imageId, why: "room is needed" });
  return { files: images.length, bytes, orphans };
}
