/**
 * How far queued images and running fills are: `GET /v2/cache/fills`, the edge's own. Glance has no such list, and its
 * `GET /v2/cache` can't carry it: glanceclient takes every further key there for a list of queued images.
 */
import type { Edge } from "../context.ts";
import { FillClient } from "../fill/client.ts";
import type { FillLook } from "../fill/protocol.ts";
import { BEGINNING, type Place, type QueuedImage } from "../store/queue.ts";
import type { Page } from "./page.ts";

/** More fills than that of one page are listed without their progress: each costs a call. */
const ASKED = 100;

export interface ListedFill {
  readonly image_id: string;
  /** Whether it waits for its turn, is being stored, or waits after a failure. */
  readonly state: "queued" | "filling" | "waiting";
  /** Null while nothing is being stored, and when its Fill does not say. */
  readonly bytes_stored: number | null;
  /** Bytes of the whole image. */
  readonly size: number | null;
  /** Downloads that follow it now. */
  readonly readers: number;
  /** Null for a fill that a download began. Times in seconds since the epoch. */
  readonly queued_at: number | null;
  readonly not_before: number | null;
  readonly attempts: number;
  readonly last_error: string | null;
}

export interface FillsPage {
  readonly fills: readonly ListedFill[];
  /** The marker of the next page; null on the last one. */
  readonly next: string | null;
}

/** The list has two parts: queued images, oldest first, then the fills that downloads began. */
type Part = "queued" | "filling";

interface Entry extends Place {
  readonly part: Part;
  readonly queued: QueuedImage | null;
  /** Whether a Fill is, or was, at work on it: no other one is asked, which would make a Durable Object for it. */
  readonly begun: boolean;
  /** Bytes, where they are known without the Fill. */
  readonly size: number | null;
}

/** @returns null for a marker that the list does not have */
export async function listFills(edge: Edge, { limit, marker }: Page): Promise<FillsPage | null> {
  const from = marker === null ? { part: "queued" as const, ...BEGINNING } : await placeOf(edge, marker);
  if (from === null) return null;
  // One more tells whether there is another page.
  const entries = await entriesFrom(edge, from, limit + 1);
  const shown = entries.slice(0, limit);
  const looks = await ask(edge, shown);
  const now = edge.now();
  const last = entries.length > limit ? shown.at(-1) : undefined;
  return {
    fills: shown.flatMap((entry) => describe(entry, looks.get(entry.imageId), now)),
    next: last === undefined ? null : `${last.part}-${last.at}-${last.imageId}`,
  };
}

/**
 * Where a page begins. The edge's own markers name the place, which stays while the image itself may be stored and gone
 * before the next page is asked for; an image's id, as Glance has it, is taken as well.
 */
async function placeOf({ queue, room }: Edge, marker: string): Promise<(Place & { part: Part }) | null> {
  const [, part, at, id] = /^(queued|filling)-(\d{1,15})-(.+)$/.exec(marker) ?? [];
  if (part !== undefined && id !== undefined) {
    return { part: part === "queued" ? "queued" : "filling", at: Number(at), imageId: id };
  }
  const queuedAt = await queue.queuedAt(marker);
  if (queuedAt !== null) return { part: "queued", at: queuedAt, imageId: marker };
  const since = await room.since(marker);
  return since === null ? null : { part: "filling", at: since, imageId: marker };
}

async function entriesFrom({ queue, room }: Edge, from: Place & { part: Part }, count: number): Promise<Entry[]> {
  const queued = from.part === "queued" ? await queue.page(from, count) : [];
  const entries = queued.map((image): Entry => {
    const begun = image.startedAt !== null || image.hasRoom;
    return { part: "queued", at: image.queuedAt, imageId: image.imageId, queued: image, begun, size: null };
  });
  if (entries.length >= count) return entries;
  const begin = from.part === "filling" ? from : BEGINNING;
  for (const fill of await room.unqueued(begin, count - entries.length)) {
    entries.push({ part: "filling", ...fill, queued: null, begun: true });
  }
  return entries;
}

async function ask({ fills, log }: Edge, entries: readonly Entry[]): Promise<Map<string, FillLook>> {
  const begun = entries.filter((entry) => entry.begun).slice(0, ASKED);
  const looks = begun.map(
    async ({ imageId }) => [imageId, await new FillClient(fills, imageId, log).progress()] as const,
  );
  return new Map(await Promise.all(looks));
}

/** @param look undefined: nobody asked its Fill */
function describe({ imageId, queued, size }: Entry, look: FillLook | undefined, now: number): ListedFill[] {
  const progress = look?.fill === "running" && look.progress.state !== "kept" ? look.progress : null;
  // Who asked its Fill knows better than the row, which is removed a little later.
  const known = look !== undefined && look.fill !== "unreachable";
  if (queued === null && progress === null && known) return [];
  const waits = queued !== null && queued.notBefore > now;
  const state = progress !== null || queued === null ? "filling" : waits ? "waiting" : "queued";
  return [
    {
      image_id: imageId,
      state,
      bytes_stored: progress?.bytesStored ?? null,
      size: progress?.size ?? size,
      readers: progress?.readers ?? 0,
      queued_at: queued === null ? null : queued.queuedAt / 1000,
      not_before: waits ? queued.notBefore / 1000 : null,
      attempts: queued?.attempts ?? 0,
      last_error: queued?.lastError ?? null,
    },
  ];
}
