/** The head of the edge's own answers to a download: Glance's fields as Glance gives them, and what a cache adds. */
import { addCacheStatus, type CacheOutcome } from "../http/cache-status.ts";
import { responseHeadersFor } from "../http/headers.ts";
import type { ImageHead } from "./decide.ts";
import type { ByteRange } from "./range.ts";

/** A v1 record is in fields of this kind (Glance up to Queens, glance/common/utils.py `image_meta_to_http_headers`). */
const V1_FIELD = "x-image-meta-";
/** What of it must not be told (glance/api/v1/images.py hides it from everyone). */
const HIDDEN_V1_FIELD = /^x-image-meta-location/;

/** Fields of an answer that are about its own content, its age, or itself alone: they say nothing of another answer. */
const OF_ONE_ANSWER = new Set([
  "accept-ranges",
  "age",
  "cache-control",
  "cache-status",
  "content-digest",
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-length",
  "content-location",
  "content-md5",
  "content-range",
  "content-type",
  "date",
  "digest",
  "etag",
  "expires",
  "last-modified",
  "location",
  "pragma",
  "repr-digest",
  "retry-after",
  // A session's next step belongs to the answer that it came with.
  "set-cookie",
  "x-openstack-request-id",
]);

/**
 * What the origin, or a proxy in front of it, adds to any answer for this request: CORS (oslo_middleware/cors.py), Vary,
 * security policies. An answer of the edge's own has to carry it as well.
 * @param origin of an answer of the origin to this caller, whatever it was about
 */
export function siteHeaders(origin: Headers): Headers {
  return without(origin, (name) => OF_ONE_ANSWER.has(name) || name.startsWith(V1_FIELD));
}

/**
 * The fields that every answer with this image's data or about it carries.
 * @param requestId the edge's own
 */
export function imageHeaders(head: ImageHead, outcome: CacheOutcome, requestId: string): Headers {
  // A v1 record is what an answer with data carries as well.
  const headers = without(head.found.headers, (name) => OF_ONE_ANSWER.has(name) || HIDDEN_V1_FIELD.test(name));
  headers.set("content-type", "application/octet-stream");
  if (head.record.checksum !== null) headers.set("content-md5", head.record.checksum);
  headers.set("accept-ranges", "bytes");
  headers.set("etag", head.etag);
  // As Glance does on each of its answers.
  headers.set("x-openstack-request-id", requestId);
  // These bytes are for a caller whom the origin has just allowed them: another cache has to ask again.
  headers.set("cache-control", "private, no-cache");
  addCacheStatus(headers, outcome);
  return headers;
}

/** The head of an answer with data. @param range null for the whole image */
export function dataInit(headers: Headers, size: number, range: ByteRange | null): ResponseInit {
  if (range === null) {
    headers.set("content-length", String(size));
    return { status: 200, headers };
  }
  headers.set("content-length", String(range.to - range.from));
  // RFC 9110 section 14.4.
  headers.set("content-range", `bytes ${range.from}-${range.to - 1}/${size}`);
  return { status: 206, headers };
}

/** A copy of what may cross the edge; what is left out is taken away, so that no other value is written anew. */
function without(origin: Headers, leftOut: (name: string) => boolean): Headers {
  const headers = responseHeadersFor(origin);
  for (const name of [...headers.keys()]) if (leftOut(name)) headers.delete(name);
  return headers;
}
