/**
 * Room for a fill before it stores anything: CACHE_MAX_BYTES is a hard cap. Where there is none, the least recently used
 * images go, each by the hand of its own Fill; where that would not be enough, none goes and the image is not stored.
 */
import type { Log } from "../lib/log.ts";
import type { Catalog } from "../store/catalog.ts";
import { type Candidate, type Choice, leastRecentlyUsed, roomFor } from "../store/least-recently-used.ts";
import { type Caps, capOf, type Room, type RoomBook, type Taker } from "../store/room.ts";
import type { FillClient } from "./client.ts";

/** Room that was made may be taken by another fill before this one gets it, and so may what was to be given up. */
const TRIES = 10;
/** Images that are looked at in one go: about 100 bytes each in memory. */
const CANDIDATES = 5_000;
/** Fills that are asked to remove theirs at the same time. */
const AT_ONCE = 4;

/** What was read within this time a policy does not have removed, ms; to be kept counts as read. */
export const READ_MS = 24 * 3_600_000;
const NOTHING: Choice = { images: [], bytes: 0 };

/** For whom room is made: a policy, for which nobody waits, gets none of what is pinned or was read within a day. */
export type For = "download" | "policy";

export interface RoomTools {
  readonly catalog: Catalog;
  readonly room: RoomBook;
  readonly fill: (imageId: string) => FillClient;
  readonly log: Log;
  readonly now: () => number;
}

/** @throws whatever D1 throws */
export async function takeRoom(tools: RoomTools, caps: Caps, taker: Taker, by: For): Promise<"had" | "denied"> {
  const { room, log, now } = tools;
  const { imageId, size, owner = null } = taker;
  let before: Room | null = null;
  for (let tries = 0; tries < TRIES; tries++) {
    if (await room.take(taker, caps, now())) return "had";
    const [sums, own] = await Promise.all([room.sums(), room.sumsOf(owner)]);
    const wanted = roomFor(size);
    const ownCap = capOf(owner, caps);
    if (sums.filling + wanted > caps.cacheMaxBytes || own.filling + wanted > ownCap) break;
    if (before !== null && same(sums, before)) break;
    before = sums;
    const bytes = sums.kept + sums.filling + wanted - caps.cacheMaxBytes;
    const ownBytes = own.kept + own.filling + wanted - ownCap;
    await giveUp(tools, { bytes, own: owner === null ? null : { owner, bytes: ownBytes }, by, rule: "all-or-nothing" });
  }
  if (by === "download") log.info("fill.no-room", { image_id: imageId, size, owner, cap: capOf(owner, caps) });
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

/** What is wanted, bytes. */
export interface Wanted {
  readonly bytes: number;
  /** What of it must come from a project's own images, since it would have more than its share. */
  readonly own: { readonly owner: string; readonly bytes: number } | null;
  readonly by: For;
  /** "all-or-nothing": nothing goes when it would not be enough */
  readonly rule: "all-or-nothing" | "what-there-is";
}

/**
 * Has the least recently used images removed, a project's own first where it is above its share.
 * @param deadline ms since the epoch: nothing new is begun after it
 * @throws whatever D1 throws
 */
export async function giveUp(tools: RoomTools, wanted: Wanted, deadline = Number.POSITIVE_INFINITY): Promise<GivenUp> {
  const { fill, log, now } = tools;
  let files = 0;
  let bytes = 0;
  const images = await chosen(tools, wanted);
  for (let at = 0; at < images.length && now() < deadline; at += AT_ONCE) {
    const some = images.slice(at, at + AT_ONCE);
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

async function chosen({ catalog, now }: RoomTools, { bytes, own, by, rule }: Wanted): Promise<readonly Candidate[]> {
  const time = now();
  const mayGo = async (owner: string | null) => {
    const all = await catalog.candidates(CANDIDATES, owner);
    return by === "download" ? all : all.filter((one) => !one.pinned && one.lastAccessed <= time - READ_MS);
  };
  const ownBytes = own?.bytes ?? 0;
  const ownFirst = own === null || ownBytes <= 0 ? NOTHING : leastRecentlyUsed(await mayGo(own.owner), ownBytes, time);
  const goes = new Set(ownFirst.images.map(({ imageId }) => imageId));
  const further = bytes - ownFirst.bytes;
  const others =
    further <= 0
      ? NOTHING
      : leastRecentlyUsed(
          (await mayGo(null)).filter(({ imageId }) => !goes.has(imageId)),
          further,
          time,
        );
  const enough = ownFirst.bytes >= ownBytes && others.bytes >= further;
  return enough || rule === "what-there-is" ? [...ownFirst.images, ...others.images] : [];
}
