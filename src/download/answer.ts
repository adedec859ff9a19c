/**
 * The head of the edge's own answers to a download: Glance's fields as Glance gives them, and what a cache adds.
 */
import { addCacheStatus, type CacheOutcome } from "../http/cache-status.ts";
import { responseHeadersFor } from "../http/headers.ts";
import type { ImageRecord } from "../origin/record.ts";
import type { Digest } from "../store/blob.ts";
import type { ClientBody } from "./client-body.ts";
import type { ByteRange } from "./range.ts";

/** What of a v1 record must not be told (glance/api/v1/images.py hides it from everyone). */
const HIDDEN_V1_FIELD = /^x-image-meta-location/;

export interface ImageHead {
  readonly record: ImageRecord;
  /** The caller's own record in a v1 download, or null. */
  readonly v1Headers: Headers | null;
  readonly digest: Digest;
  readonly requestId: string;
}

/**
 * The image's strong validator. v1 sent the MD5 as ETag and its clients know it; everywhere else it is the strongest
 * digest.
 */
export function entityTag(head: ImageHead): string {
  const legacy = head.v1Headers === null ? null : head.record.checksum;
  return `"${legacy ?? head.digest.hex}"`;
}

/**
 * The fields that every answer with this image's data or about it carries.
 * @param origin the origin's own answer to this download, when the bytes come from it
 */
export function imageHeaders(head: ImageHead, outcome: CacheOutcome, origin: Headers | null): Headers {
  const headers = origin === null ? new Headers() : responseHeadersFor(origin);
  for (const [name, value] of head.v1Headers ?? []) if (name.startsWith("x-image-meta-")) headers.set(name, value);
  for (const name of [...headers.keys()]) if (HIDDEN_V1_FIELD.test(name)) headers.delete(name);
  headers.delete("content-length");
  headers.set("content-type", headers.get("content-type") ?? "application/octet-stream");
  if (head.record.checksum !== null) headers.set("content-md5", head.record.checksum);
  headers.set("accept-ranges", "bytes");
  headers.set("etag", entityTag(head));
  // As Glance does on each of its answers; the origin's own id, where there is one, is the one that it logs.
  if (!headers.has("x-openstack-request-id")) headers.set("x-openstack-request-id", head.requestId);
  // These bytes are for a caller whom the origin has just allowed them: another cache has to ask again.
  headers.set("cache-control", "private, no-cache");
  addCacheStatus(headers, outcome);
  return headers;
}

/**
 * An answer with image data. The length is that of the fixed-length body below it, told here as well for callers in the
 * same process; it can't disagree: the runtime breaks a body that ends early and refuses one that is longer.
 */
export function dataAnswer(status: 200 | 206, headers: Headers, body: ClientBody): Response {
  headers.set("content-length", String(body.length));
  return new Response(body.readable, { status, headers });
}

/** 304 or 412 to a conditional request (RFC 9110 sections 15.4.5 and 15.5.13). */
export function conditionalAnswer(head: ImageHead, outcome: CacheOutcome, status: 304 | 412): Response {
  const headers = imageHeaders(head, outcome, null);
  for (const name of ["content-type", "content-md5"]) headers.delete(name);
  return new Response(null, { status, headers });
}

/** Content-Range of a 206 (RFC 9110 section 14.4). */
export function contentRange(range: ByteRange, size: number): string {
  return `bytes ${range.from}-${range.to - 1}/${size}`;
}
