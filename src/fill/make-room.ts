/**
 * Room for a fill before it stores anything: CACHE_MAX_BYTES is a hard cap. Where there is none, the least recently used
 * images go, each by the hand of its own Fill; where that would not be enough, none goes and the image is not stored.
 */
import type { Log } from "../lib/log.ts";
import type { Catalog } from "../store/catalog.ts";
import { leastRecentlyUsed } from "../store/least-recently-used.ts";
import { type Room, type RoomBook, roomFor, type Taker } from "../store/room.ts";
import type { FillClient } from "./client.ts";

/** Room that was made may be taken by another fill before this one gets it, and so may what was to be given up. */
const TRIES = 10;
/** Images that are looked at in one go: about 100 bytes each in memory. */
const CANDIDATES = 5_000;
/** Fills that are asked to remove theirs at the same time. */
const AT_ONCE = 4;

export interface RoomTools {
  readonly catalog: Catalog;
  readonly room: RoomBook;
  readonly fill: (imageId: string) => FillClient;
  readonly log: Log;
  readonly now: () => number;
}

/** @param cap bytes @throws whatever D1 throws */
export async function takeRoom(tools: RoomTools, cap: number, taker: Taker): Promise<"had" | "denied"> {
  const { room, log, now } = tools;
  let before: Room | null = null;
  for (let tries = 0; tries < TRIES; tries++) {
    if (await room.take(taker, cap, now())) return "had";
    const sums = await room.sums();
    const wanted = roomFor(taker.size);
    if (sums.filling + wanted > cap || (before !== null && same(sums, before))) break;
    before = sums;
    await giveUp(tools, sums.kept + sums.filling + wanted - cap, "all-or-nothing");
  }
  log.info("fill.no-room", { image_id: taker.imageId, size: taker.size, cap });
  return "denied";
}

/** Nothing that was tried has helped, and nobody else has changed anything either. */
function same(sums: Room, before: Room): boolean {
  return sums.kept === before.kept && sums.filling === before.filling;
}

export interface GivenUp {
  /** Images, as Glance counts its cached files. */
  readonly files: number;
  readonly bytes: number;
}

/**
 * Has the least recently used images removed.
 * @param wanted bytes
 * @param rule "all-or-nothing": nothing goes when it would not be enough
 * @param deadline ms since the epoch: nothing new is begun after it
 * @throws whatever D1 throws
 */
export async function giveUp(
  { catalog, fill, log, now }: RoomTools,
  wanted: number,
  rule: "all-or-nothing" | "what-there-is",
  deadline = Number.POSITIVE_INFINITY,
): Promise<GivenUp> {
  let files = 0;
  let bytes = 0;
  if (wanted <= 0) return { files, bytes };
  const choice = leastRecentlyUsed(await catalog.candidates(CANDIDATES), wanted, now());
  if (rule === "all-or-nothing" && choice.bytes < wanted) return { files, bytes };
  for (let at = 0; at < choice.images.length && now() < deadline; at += AT_ONCE) {
    const some = choice.images.slice(at, at + AT_ONCE);
    const answers = await Promise.all(some.map(({ imageId }) => fill(imageId).remove("unless-read")));
    for (const [index, { imageId, size }] of some.entries()) {
      // A row without an object has taken room in the books as well.
      if (answers[index] !== "removed" && answers[index] !== "nothing") continue;
      log.info("image.evicted", { image_id: imageId, why: "room is needed" });
      files++;
      bytes += size;
    }
  }
  return { files, bytes };
}
