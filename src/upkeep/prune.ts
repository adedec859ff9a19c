/**
 * Keeps what is stored within CACHE_MAX_BYTES, by giving up what was used least recently. The cap is a hard one: room is
 * made before a fill stores its first slice (fill/make-room.ts); prune itself has work only after the cap was lowered.
 */
import { type GivenUp, giveUp, type RoomTools } from "../fill/make-room.ts";
import type { Caps } from "../store/room.ts";

/**
 * Prunes down to the cap, and each project to its share, or as far as what is in use allows.
 * @param deadline ms since the epoch
 * @throws whatever D1 throws
 */
export async function prune(tools: RoomTools, caps: Caps, deadline: number): Promise<GivenUp> {
  let files = 0;
  let bytes = 0;
  const rules = { by: "download", rule: "what-there-is" } as const;
  // Its share was lowered, or only now it is known whose these images are.
  for (const { owner, kept } of await tools.room.ownersAbove(caps.ownerMaxBytes)) {
    const own = { owner, bytes: kept - caps.ownerMaxBytes };
    const given = await giveUp(tools, { bytes: 0, own, ...rules }, deadline);
    files += given.files;
    bytes += given.bytes;
  }
  let before = Number.POSITIVE_INFINITY;
  while (tools.now() < deadline) {
    const { kept, filling } = await tools.room.sums();
    // Nothing more may go, or is there: what the figures say beyond that must not keep this running.
    if (kept + filling >= before) break;
    before = kept + filling;
    const given = await giveUp(tools, { bytes: before - caps.cacheMaxBytes, own: null, ...rules }, deadline);
    files += given.files;
    bytes += given.bytes;
    if (given.files === 0) break;
  }
  return { files, bytes };
}
