/**
 * The image record as the caller sees it: Glance's own answer to "may this caller see the image, and what is it". v2
 * gives JSON (glance/api/v2/images.py), v1 gives x-image-meta-* headers to a HEAD (Glance up to Queens).
 */

export type ApiVersion = "v1" | "v2";

/** What the edge needs of a record; null where the record does not say. */
export interface ImageRecord {
  readonly status: string;
  readonly size: number | null;
  /** MD5, hex. */
  readonly checksum: string | null;
  readonly hash: { readonly algorithm: string; readonly value: string } | null;
  readonly owner: string | null;
}

/** @throws TypeError when the text is no image record */
export function parseRecordV2(text: string, imageId: string): ImageRecord {
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new TypeError("not an image record");
  const record = value as Readonly<Record<string, unknown>>;
  if (record.id !== imageId || typeof record.status !== "string") throw new TypeError("not this image's record");
  const algorithm = text_(record.os_hash_algo);
  const hash = text_(record.os_hash_value);
  return {
    status: record.status,
    size: byteCount(record.size),
    checksum: text_(record.checksum),
    hash: algorithm === null || hash === null ? null : { algorithm, value: hash },
    owner: text_(record.owner),
  };
}

/** @throws TypeError when the headers are no image record */
export function parseRecordV1(headers: Headers, imageId: string): ImageRecord {
  const status = headers.get("x-image-meta-status");
  if (headers.get("x-image-meta-id") !== imageId || status === null) throw new TypeError("not this image's record");
  const deleted = headers.get("x-image-meta-deleted")?.toLowerCase() === "true";
  const size = headers.get("x-image-meta-size");
  return {
    status: deleted ? "deleted" : status,
    size: size === null || !/^\d+$/.test(size) ? null : byteCount(Number(size)),
    checksum: text_(headers.get("x-image-meta-checksum")),
    hash: null,
    owner: text_(headers.get("x-image-meta-owner")),
  };
}

function text_(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

/** A size that is 0, negative or no number is no size that a download could be checked against. */
function byteCount(value: unknown): number | null {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : null;
}
