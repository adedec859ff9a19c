/**
 * Which part of an image a request asks for: Glance's own table, that is WebOb's parser (webob/byterange.py) and the
 * checks around it (glance/common/wsgi.py get_range_from_request, glance/api/v2/image_data.py ResponseSerializer).
 */
import { crash, HttpError } from "../http/webob-error.ts";

export interface Part {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/**
 * @param size bytes; null for an image without data
 * @returns null: the whole image, status 200
 * @throws HttpError 400, 416, or 500 for a good range on an image without data (Glance compares with None)
 */
export function requestedPart(range: string | null, contentRange: string | null, size: number | null): Part | null {
  if (range !== null) return partOfRange(range, size);
  if (contentRange !== null) return partOfContentRange(contentRange, size);
  return null;
}

function partOfRange(header: string, size: number | null): Part {
  if (header.includes(",")) {
    throw new HttpError(
      400,
      "Requests with multiple ranges are not supported in Glance. You may make multiple single-range requests instead.",
    );
  }
  const match = /^bytes *= *(\d*) *- *(\d*)/i.exec(header);
  const [, first = "", last = ""] = match ?? [];
  if (match === null || (first !== "" && last !== "" && BigInt(last) < BigInt(first))) {
    throw unsatisfiable("Invalid Range header.");
  }
  // "bytes=-": int("") raises in WebOb; and without data every range fails.
  if ((first === "" && last === "") || size === null) throw crash();
  if (first === "") {
    const suffix = Number(last);
    // WebOb reads the suffix as a negative start: that of 0 bytes is the whole image, as is one that is too long.
    if (size === 0 && suffix === 0) throw outside("Range", "start", size);
    return { start: suffix < size && suffix > 0 ? size - suffix : 0, end: size };
  }
  const start = Number(first);
  if (start >= size) throw outside("Range", "start", size);
  return { start, end: last === "" ? size : Math.min(Number(last) + 1, size) };
}

/**
 * What a store without random access says to a part (glance_store/capabilities.py, check): it looks at the offset and the
 * length alone, so that the empty part of an empty image is none to it.
 * @throws HttpError 400
 */
export function refusePart({ start, end }: Part): void {
  if (start === 0 && end === 0) return;
  throw new HttpError(
    400,
    `Getting images randomly from this store is not supported. Offset: ${start}, length: ${end - start}`,
  );
}

/** Content-Range in a request is wrong by HTTP, but Glance still takes it. */
function partOfContentRange(header: string, size: number | null): Part {
  const match = /^bytes (?:(\d+)-(\d+)|[*])\/(?:(\d+)|[*])/.exec(header);
  if (match === null) throw unsatisfiable("Invalid Content-Range header.");
  const [, first, last, length] = match;
  if (first === undefined || last === undefined || size === null) throw crash();
  const start = Number(first);
  const end = Number(last) + 1;
  if (start >= end || (length !== undefined && (start >= Number(length) || end > Number(length)))) {
    throw unsatisfiable("Invalid Content-Range header.");
  }
  if (length === undefined && end > size) throw outside("Content-Range", "stop", size);
  if (start >= size) throw outside("Content-Range", "start", size);
  return { start, end };
}

function unsatisfiable(detail: string): HttpError {
  return new HttpError(416, undefined, { detail });
}

function outside(header: string, which: "start" | "stop", size: number): HttpError {
  const the = which === "stop" ? "The stop" : "Start";
  return unsatisfiable(
    `Invalid ${which} position in ${header} header. ${the} position MUST be in the inclusive range [0, ${size - 1}].`,
  );
}
