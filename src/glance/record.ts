/**
 * The image record as the caller sees it: Glance's own answer to "may this caller see the image, and what is it". v2
 * gives JSON (glance/api/v2/images.py), v1 gives x-image-meta-* headers to a HEAD (Glance up to Queens).
 */
import * as v from "valibot";
import { parseJson } from "../lib/json.ts";
import type { Traits } from "../lib/selection.ts";

export type ApiVersion = "v1" | "v2";

/** What the edge needs of a record; null where the record does not say. */
export interface ImageRecord {
  readonly status: string;
  readonly size: number | null;
  /** MD5, hex. */
  readonly checksum: string | null;
  readonly hash: { readonly algorithm: string; readonly value: string } | null;
  readonly owner: string | null;
  readonly traits: Traits;
  /** At most {@link MAX_NAME} signs of it. */
  readonly name: string | null;
}

/** Glance allows no more (glance/api/v2/images.py, `maxLength`). */
const MAX_NAME = 255;

/** A text; whatever else a field holds counts as nothing. */
const Text = v.fallback(v.nullish(v.pipe(v.string(), v.nonEmpty())), null);
const HEX32 = /^[0-9a-f]{32}$/i;
/** Goes into headers; an owner may state any 32 signs with a location (`validation_data`). */
const Md5 = v.fallback(v.nullish(v.pipe(v.string(), v.regex(HEX32))), null);
/** A size that is 0, negative or no number is no size that a download could be checked against. */
const Bytes = v.fallback(v.nullish(v.pipe(v.number(), v.safeInteger(), v.minValue(1))), null);

/** glance/api/v2/images.py, of which only so much is read. */
const RecordV2 = v.looseObject({
  id: v.string(),
  status: v.string(),
  size: Bytes,
  checksum: Md5,
  os_hash_algo: Text,
  os_hash_value: Text,
  owner: Text,
  name: Text,
  visibility: Text,
  tags: v.fallback(v.array(v.string()), []),
});

/** @throws TypeError when the text is no image record, or another image's */
export function parseRecordV2(text: string, imageId: string): ImageRecord {
  return readRecordV2(parseJson(text), imageId);
}

/** @throws TypeError as {@link parseRecordV2} */
export function readRecordV2(value: unknown, imageId: string): ImageRecord {
  const read = v.safeParse(RecordV2, value);
  if (!read.success || read.output.id !== imageId) throw new TypeError("not this image's record");
  return recordOf(read.output);
}

function recordOf(read: v.InferOutput<typeof RecordV2>): ImageRecord {
  const { status, size, checksum, os_hash_algo, os_hash_value, name, visibility, tags } = read;
  const hash = os_hash_algo && os_hash_value ? { algorithm: os_hash_algo, value: os_hash_value } : null;
  const owner = read.owner ?? null;
  const texts = Object.entries(read).filter((entry): entry is [string, string] => typeof entry[1] === "string");
  const traits = { owner, visibility: visibility ?? null, tags, properties: Object.fromEntries(texts) };
  return { status, size: size ?? null, checksum: checksum ?? null, hash, owner, traits, name: named(name) };
}

/** @throws TypeError when the headers are no image record */
export function parseRecordV1(headers: Headers, imageId: string): ImageRecord {
  const status = headers.get("x-image-meta-status");
  if (headers.get("x-image-meta-id") !== imageId || status === null) throw new TypeError("not this image's record");
  const deleted = headers.get("x-image-meta-deleted")?.toLowerCase() === "true";
  const size = headers.get("x-image-meta-size");
  const checksum = headers.get("x-image-meta-checksum") ?? "";
  return {
    status: deleted ? "deleted" : status,
    size: size === null || !/^\d+$/.test(size) ? null : (v.parse(Bytes, Number(size)) ?? null),
    checksum: HEX32.test(checksum) ? checksum : null,
    hash: null,
    owner: text(headers.get("x-image-meta-owner")),
    traits: traitsV1(headers),
    name: named(headers.get("x-image-meta-name")),
  };
}

const PROPERTY = "x-image-meta-property-";

/** v1 knows no tags, and of visibilities whether it is public; names of headers, and so of its properties, have no case. */
function traitsV1(headers: Headers): Traits {
  const properties = [...headers].filter(([name]) => name.startsWith(PROPERTY));
  return {
    owner: text(headers.get("x-image-meta-owner")),
    visibility: headers.get("x-image-meta-is_public")?.toLowerCase() === "true" ? "public" : null,
    tags: [],
    properties: Object.fromEntries(properties.map(([name, value]) => [name.slice(PROPERTY.length), value])),
  };
}

/** Signs, not UTF-16 units: half of one is none. */
function named(value: string | null | undefined): string | null {
  return value ? [...value.slice(0, 2 * MAX_NAME)].slice(0, MAX_NAME).join("") : null;
}

function text(value: string | null): string | null {
  return value === "" ? null : value;
}
