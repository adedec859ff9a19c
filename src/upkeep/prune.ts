/**
 * Keeps what is stored within CACHE_MAX_BYTES, by giving up what was used least recently. The cap is a hard one: room is
 * made before a fill stores its first slice (fill/admission.ts); prune itself has work only after the cap was lowered.
 */
import type { Room } from "../store/generations.ts";
import { removeCondemned, type Store } from "../store/store.ts";
import { leastRecentlyUsed } from "./least-recently-used.ts";

export interface Pruned {
  /** Images, as Glance counts its cached files. */
  readonly files: number;
  readonly bytes: number;
}

/** Blobs that are looked at in one go: about 100 bytes each in memory. */
const CANDIDATES = 5_000;

/**
 * Prunes down to the cap, or as far as what is in use allows.
 * @param cap bytes
 * @param now ms since the epoch
 * @throws whatever D1 throws
 */
export async function prune(store: Store, cap: number, now: number): Promise<Pruned> {
  let files = 0;
  let bytes = 0;
  for (;;) {
    const pruned = await giveUp(store, taken(await store.generations.room()) - cap, "what-there-is", now);
    files += pruned.files;
    bytes += pruned.bytes;
    // Nothing more may go, or is there: what the figures say beyond that must not keep this running.
    if (pruned.bytes === 0) return { files, bytes };
  }
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
 */
export async function giveUp(
  store: Store,
  wanted: number,
  rule: "all-or-nothing" | "what-there-is",
  now: number,
): Promise<Pruned> {
  if (wanted <= 0) return { files: 0, bytes: 0 };
  const choice = leastRecentlyUsed(await store.generations.candidates(CANDIDATES), wanted, now);
  if (choice.blobs.length === 0 || (rule === "all-or-nothing" && choice.bytes < wanted)) return { files: 0, bytes: 0 };
  const generations = choice.blobs.map(({ generation }) => generation);
  const { orphans, images, bytes } = await store.catalog.evictBlobs(generations, "in-use", now);
  for (const imageId of images) store.log.info("image.evicted", { image_id: imageId, why: "room is needed" });
  await removeCondemned(store, orphans);
  return { files: images.length, bytes };
}
