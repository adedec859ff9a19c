/** The head of the edge's own answers to a download: Glance's fields as Glance gives them, and what a cache adds. */
import { addCacheStatus, type CacheOutcome } from "../http/cache-status.ts";
import { responseHeadersFor } from "../http/headers.ts";
import type { ImageHead } from "./decide.ts";
import type { ByteRange } from "./range.ts";

/** What of a v1 record must not be told (glance/api/v1/images.py hides it from everyone). */
const HIDDEN_V1_FIELD = /^x-image-meta-location/;

/** Fields of the answer with the record that are about that answer alone, and not about the caller or the site. */
const OF_THE_RECORD =
  /^(content-|accept-ranges|age|cache-control|cache-status|date|etag|expires|last-modified|location|pragma|set-cookie|x-openstack-request-id)/;

/**
 * The fields that every answer with this image's data or about it carries.
 * @param requestId the edge's own
 */
export function imageHeaders(head: ImageHead, outcome: CacheOutcome, requestId: string): Headers {
  const headers = responseHeadersFor(head.found.headers);
  // What the origin, or a proxy in front of it, adds for this caller on any answer (CORS, say) stays.
  for (const name of [...headers.keys()]) {
    if (OF_THE_RECORD.test(name) || HIDDEN_V1_FIELD.test(name)) headers.delete(name);
  }
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
