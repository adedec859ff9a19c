/**
 * Images by the time of their last change (glance/api/v2/images.py `index`), the oldest first, as far as the caller sees them.
 * Pages go by time, not by Glance's marker: one that is changed between two pages moves to the end, and what stood behind it
 * would be passed over. Only among images of one second, which is all that Glance tells, is there nothing but the marker.
 */
import * as v from "valibot";
import { callerHeaders } from "../http/headers.ts";
import { readText } from "../http/read-text.ts";
import { parseJson } from "../lib/json.ts";
import { BadOriginAnswer } from "./bad-answer.ts";
import { ANSWER_MS, fetchOrigin, type OriginAccess } from "./forward.ts";
import { type ImageRecord, readRecordV2 } from "./record.ts";
import { UUID } from "./target.ts";

/** Records of one page, some KB each. Glance gives 1,000 at most, or less by its `api_limit_max`. */
const LIMIT = 200;
/** Far more than a page of records has. */
const MAX_BYTES = 16 * 2 ** 20;
/** Glance needs some seconds for a list of many images with their tags and properties. ms */
const HEAD_MS = 15_000;

/** A place in the order of changes. */
export interface ListPlace {
  /** Images that were changed then or later, as Glance writes a time. */
  readonly from: string;
  /** Behind this image of that very second; null: from its first one on. */
  readonly marker: string | null;
}

export interface ChangedImage {
  readonly imageId: string;
  /** As Glance writes a time: in UTC, so that later ones are greater texts. */
  readonly updatedAt: string;
  readonly record: ImageRecord;
}

export interface ChangedPage {
  readonly images: readonly ChangedImage[];
  /** Where the next page begins; null: this was the last one. */
  readonly next: ListPlace | null;
}

/** The list refused the token, or its marker: 401 and 400 are told by `status`. */
export class ListRefused extends Error {
  override readonly name = "ListRefused";
  readonly status: number;

  constructor(status: number) {
    super(`the origin answered the list of images with status ${status}`);
    this.status = status;
  }
}

const Page = v.object({ images: v.array(v.unknown()), next: v.nullish(v.string()) });
const Entry = v.looseObject({
  id: v.pipe(v.string(), v.regex(new RegExp(`^${UUID}$`))),
  updated_at: v.pipe(v.string(), v.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)),
});

/** @throws OriginUnreachable, BadOriginAnswer, ListRefused, AnswerTooLarge, DeadlineExceeded */
export async function listChanged(at: OriginAccess, token: string, place: ListPlace): Promise<ChangedPage> {
  const query = new URLSearchParams({
    ...{ sort_key: "updated_at", sort_dir: "asc", updated_at: `gte:${place.from}` },
    // Without it there are no community images of others.
    ...{ visibility: "all", limit: String(LIMIT) },
    ...(place.marker === null ? {} : { marker: place.marker }),
  });
  const headers = callerHeaders(new Headers({ "x-auth-token": token }));
  headers.set("accept", "application/json");
  headers.set("accept-encoding", "identity");
  const signal = AbortSignal.timeout(HEAD_MS + ANSWER_MS);
  const response = await fetchOrigin(at, `/v2/images?${query}`, { method: "GET", headers, signal });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new ListRefused(response.status);
  }
  const page = v.safeParse(Page, parseJson(await readText(response, "the origin's list", MAX_BYTES, ANSWER_MS)));
  if (!page.success) throw new BadOriginAnswer("the origin's 200 is no list of images");
  const images = page.output.images.map(readEntry).filter((image) => image !== null);
  return { images, next: page.output.next ? placeBehind(images, place) : null };
}

function readEntry(entry: unknown): ChangedImage | null {
  const read = v.safeParse(Entry, entry);
  if (!read.success) return null;
  const { id, updated_at } = read.output;
  try {
    return { imageId: id, updatedAt: updated_at, record: readRecordV2(entry, id) };
  } catch {
    return null; // One that nobody can read keeps no other one from being looked at.
  }
}

/** @throws BadOriginAnswer where it leads nowhere */
function placeBehind(images: readonly ChangedImage[], { from, marker }: ListPlace): ListPlace {
  const last = images.at(-1);
  if (last === undefined || last.updatedAt < from) throw new BadOriginAnswer("the origin's list is not in order");
  if (last.updatedAt > from) return { from: last.updatedAt, marker: null };
  if (last.imageId === marker) throw new BadOriginAnswer("the origin's list does not go on");
  return { from, marker: last.imageId };
}
