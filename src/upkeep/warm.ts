/**
 * Queues the images that PREFETCH_IMAGES names as soon as they are active: looks, under the edge's own account, at what has
 * changed at the origin since the last look. Where it has got to is written down page by page, so that a run which is cut, or
 * finds no Glance, loses nothing, and a long list goes on with the next run.
 */
import * as v from "valibot";
import type { Edge } from "../context.ts";
import { strongestDigest } from "../digest/algorithms.ts";
import { UNFIT, whyUnfit } from "../fill/unfit.ts";
import {
  type ChangedImage,
  type ChangedPage,
  type ListPlace,
  ListRefused,
  listChanged,
} from "../glance/list-changed.ts";
import { parseJson } from "../lib/json.ts";
import { isSelected } from "../lib/selection.ts";

const TASK = "warm.changes";
/** Changes may become visible in another order than that of their times: Glance's hosts have each a clock. ms */
const OVERLAP_MS = 60_000;
/** Of the images in the overlap so many are known to have been looked at; to look again at others does no harm. */
const MAX_SEEN = 2_000;
const BEGINNING: ListPlace = { from: "1970-01-01T00:00:00Z", marker: null };

const Cursor = v.object({
  /** The settings that it was written under: under others all images are looked at anew. */
  under: v.string(),
  place: v.object({ from: v.string(), marker: v.nullable(v.string()) }),
  /** Ids, and when each was changed, of those behind the place that were looked at already. */
  seen: v.array(v.tuple([v.string(), v.string()])),
});

export interface Warmed {
  /** Images that were looked at. */
  readonly changed: number;
  /** Of these, those that were queued. */
  readonly queued: number;
  /** Of these, those that are named and can't be stored. */
  readonly unfit: number;
  /** Whether this run has come to the end of the list. */
  readonly finished: boolean;
}

type WarmTools = Pick<Edge, "service" | "settings" | "cursors" | "queue" | "now" | "log">;

/**
 * @param deadline ms since the epoch: no page is asked for after it
 * @returns null without service credentials
 * @throws KeystoneUnavailable, ServiceCredentialRefused, OriginUnreachable, BadOriginAnswer, ListRefused, whatever D1 throws
 */
export async function warm(edge: WarmTools, deadline: number): Promise<Warmed | null> {
  const { service, settings, cursors, now } = edge;
  if (service === null) return null;
  const counts = { changed: 0, queued: 0, unfit: 0 };
  const under = settingsKey(settings);
  const read = v.safeParse(Cursor, parseJson(await cursors.read(TASK)));
  const begun = read.success && read.output.under === under ? read.output : { place: BEGINNING, seen: [] };
  const seen = new Map<string, string>(begun.seen);
  for (let place: ListPlace | null = begun.place; now() < deadline; ) {
    const page = await pageAt(edge, service, place);
    const fresh = page.images.filter(({ imageId, updatedAt }) => seen.get(imageId) !== updatedAt);
    const { queued, unfit } = await take(edge, fresh);
    counts.changed += fresh.length;
    counts.queued += queued;
    counts.unfit += unfit;
    for (const { imageId, updatedAt } of page.images) {
      // In the order of its changes.
      seen.delete(imageId);
      seen.set(imageId, updatedAt);
    }
    const behind: ListPlace = page.next ?? {
      from: overlapBefore(page.images.at(-1)?.updatedAt ?? null, place),
      marker: null,
    };
    const still = [...seen].filter(([, updatedAt]) => updatedAt >= behind.from).slice(-MAX_SEEN);
    await cursors.write(TASK, JSON.stringify({ under, place: behind, seen: still }));
    if (page.next === null) return { ...counts, finished: true };
    place = page.next;
  }
  return { ...counts, finished: false };
}

function settingsKey(settings: Edge["settings"]): string {
  const { origin, prefetchImages, cacheImages, imageMaxBytes, cacheMaxBytes, ownerMaxBytes } = settings;
  return JSON.stringify([origin, prefetchImages, cacheImages, imageMaxBytes, cacheMaxBytes, ownerMaxBytes]);
}

async function pageAt(edge: WarmTools, service: NonNullable<Edge["service"]>, place: ListPlace): Promise<ChangedPage> {
  const { token } = await service.get();
  try {
    return await listChanged(edge.settings, token, place);
  } catch (cause) {
    if (!(cause instanceof ListRefused)) throw cause;
    if (cause.status === 401) service.forget(token);
    // The marker is no image any more: its second once more.
    if (cause.status === 400 && place.marker !== null) return pageAt(edge, service, { ...place, marker: null });
    throw cause;
  }
}

/** Queues those that are wanted. @throws whatever D1 throws */
async function take(edge: WarmTools, images: readonly ChangedImage[]): Promise<{ queued: number; unfit: number }> {
  const { settings, queue, now, log } = edge;
  const fit: string[] = [];
  let unfit = 0;
  for (const { imageId, record } of images) {
    const { status, size, traits } = record;
    // What is not active yet, or has no digest yet, changes once more.
    if (status !== "active" || strongestDigest(record) === null || !isSelected(traits, settings.prefetchImages))
      continue;
    const why = size === null ? null : whyUnfit(record, size, settings);
    if (size !== null && why === null) {
      fit.push(imageId);
    } else {
      log.info("prefetch.unfit", {
        image_id: imageId,
        size,
        why: why === null ? "its record states no size" : UNFIT[why],
      });
      unfit++;
    }
  }
  return { queued: await queue.addByPolicy(fit, now()), unfit };
}

/** Where the next look begins: a while before the newest change. */
function overlapBefore(newest: string | null, { from }: ListPlace): string {
  if (newest === null) return from;
  const begin = new Date(Date.parse(newest) - OVERLAP_MS).toISOString();
  const text = `${begin.slice(0, 19)}Z`;
  return text > from ? text : from;
}
