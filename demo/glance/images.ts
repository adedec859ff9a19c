/** /v2/images and /v2/images/{id} (glance/api/v2/images.py). */
import { type Exchange, readJson, replyEmpty, replyJson } from "../http/exchange.ts";
import { HttpError } from "../http/webob-error.ts";
import type { Identity } from "../keystone/tokens.ts";
import { expectOwner, findImage } from "./access.ts";
import { recordHeaders, refusal } from "./data.ts";
import { expectSmall, type Image, newImage, recordOf, STORE } from "./image.ts";
import { setField } from "./image-fields.ts";

const DEFAULT_LIMIT = 25;
const MAX_LIMIT = 1000;

export async function create(exchange: Exchange, identity: Identity): Promise<void> {
  const body = await readJson(exchange);
  if (Array.isArray(body)) throw new HttpError(400, "Unexpected body type. Expected list/dict.");
  const { id = crypto.randomUUID(), ...fields } = body as Readonly<Record<string, unknown>>;
  if (typeof id !== "string" || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) {
    throw new HttpError(400, "Invalid image id format");
  }
  if (exchange.namespace.images.has(id)) throw new HttpError(409, `Image ID ${id} already exists!`);
  const image = newImage(id, identity.projectId, {});
  expectSmall(image, fields);
  for (const [name, value] of Object.entries(fields)) {
    if (name !== "owner" || value !== identity.projectId) setField(image, identity, name, value);
  }
  exchange.namespace.addImage(image);
  replyJson(exchange, 201, recordOf(image), {
    Location: `${exchange.base}/v2/images/${id}`,
    "Openstack-Image-Import-Methods": "glance-direct,web-download,copy-image",
    "Openstack-Image-Store-Ids": STORE,
  });
}

export function show(exchange: Exchange, identity: Identity, id: string): void {
  const image = findImage(exchange, identity, id);
  if (image.faults.recordStatus !== undefined) throw refusal(exchange, image.faults.recordStatus);
  replyJson(exchange, 200, recordOf(image, identity.isAdmin), recordHeaders(exchange, image));
}

export async function remove(exchange: Exchange, identity: Identity, id: string): Promise<void> {
  const image = findImage(exchange, identity, id, `Failed to find image ${id} to delete`);
  expectOwner(identity, image);
  if (image.fields.protected) throw new HttpError(403, `Image ${id} is protected and cannot be deleted.`);
  await exchange.namespace.removeImage(image);
  replyEmpty(exchange, 204);
}

/** Newest first, as Glance sorts, or by the last change; every other query parameter is a filter for the record's field of that name. */
export function list(exchange: Exchange, identity: Identity): void {
  const { limit: wanted = String(DEFAULT_LIMIT), marker, ...filters } = Object.fromEntries(exchange.query);
  if (!/^-?\d+$/.test(wanted)) throw new HttpError(400, "limit param must be an integer");
  if (Number(wanted) < 0) throw new HttpError(400, "limit param must be positive");
  const limit = Math.min(Number(wanted), MAX_LIMIT);
  const found = sorted([...exchange.namespace.images.values()], filters).filter(
    (image) => isListed(image, identity, filters.visibility) && matches(image, filters),
  );
  const before = marker === undefined ? -1 : found.findIndex((image) => image.id === marker);
  if (marker !== undefined && before === -1) throw new HttpError(400, `No image found with ID ${marker}`);
  const page = found.slice(before + 1, before + 1 + limit);
  const last = page.at(-1);
  const query = new URLSearchParams(exchange.query);
  query.delete("marker");
  const first = query.size === 0 ? "/v2/images" : `/v2/images?${query}`;
  if (last !== undefined) query.set("marker", last.id);
  // A full page has a next one, which may be empty.
  const isMore = last !== undefined && page.length === limit;
  replyJson(exchange, 200, {
    images: page.map((image) => recordOf(image, identity.isAdmin)),
    first,
    schema: "/v2/schemas/images",
    ...(isMore ? { next: `/v2/images?${query}` } : {}),
  });
}

/** An offered image is in the list when it's accepted, a community image when it's asked for. */
function isListed(image: Image, identity: Identity, visibility: string | undefined): boolean {
  if (image.status === "deleted") return false;
  if (identity.isAdmin || identity.projectId === image.owner) return true;
  switch (image.fields.visibility) {
    case "public":
      return true;
    case "community":
      return visibility === "community" || visibility === "all";
    case "shared":
      return image.members.get(identity.projectId)?.status === "accepted";
    case "private":
      return false;
  }
}

/** @throws HttpError 400 for an order that there is not */
function sorted(images: readonly Image[], query: Readonly<Record<string, string | undefined>>): readonly Image[] {
  const { sort_key = "created_at", sort_dir = "desc" } = query;
  if (sort_dir !== "asc" && sort_dir !== "desc") {
    throw new HttpError(400, `Invalid sort direction: ${sort_dir}`);
  }
  // They are kept in the order in which they were made.
  const inOrder = sort_key === "updated_at" ? images.toSorted((a, b) => +a.updatedAt - +b.updatedAt) : images;
  return sort_dir === "asc" ? inOrder : inOrder.toReversed();
}

const BAD_TIME = 'Bad "updated_at" query filter format. Use ISO 8601 DateTime notation.';

/** Of the comparisons that Glance knows, the one that the edge asks for. @throws HttpError 400 for what is no time */
function isChangedSince(image: Image, filter: string): boolean {
  const [, time] = /^gte:(.+)$/.exec(filter) ?? [];
  const since = Date.parse(time ?? "");
  if (Number.isNaN(since)) throw new HttpError(400, BAD_TIME);
  return image.updatedAt.getTime() >= since;
}

/** Parameters of the list itself, which filter nothing here. */
const NO_FILTERS = new Set(["sort", "sort_key", "sort_dir", "member_status"]);

function matches(image: Image, filters: Readonly<Record<string, string | undefined>>): boolean {
  const record = recordOf(image);
  return Object.entries(filters).every(([name, value]) => {
    if (NO_FILTERS.has(name) || (name === "visibility" && value === "all")) return true;
    if (name === "updated_at" && value !== undefined) return isChangedSince(image, value);
    if (name === "tag") return value !== undefined && image.fields.tags.includes(value);
    if (name === "size_min") return Number(record.size) >= Number(value);
    if (name === "size_max") return Number(record.size) <= Number(value);
    return String(record[name]) === value;
  });
}
