/**
 * Which part of an image a request asks for: pure parsing of Range and of Content-Range, which Glance takes for a
 * range request as well (glance/common/wsgi.py `get_range_from_request`, `get_content_range`). Whatever is not plainly
 * well-formed counts as refused: it is forwarded, and the refusal is Glance's own.
 */

/** Bytes `from` (inclusive) to `to` (exclusive). */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

export type RangeAnswer =
  | { readonly kind: "whole" }
  | { readonly kind: "part"; readonly range: ByteRange }
  /** Glance would answer 416 or 400, or the request is too odd to be sure. */
  | { readonly kind: "refused" };

/** The part of a kept object to open before its size is known; null: all of it. */
export type Opening = { readonly offset: number; readonly length?: number } | { readonly suffix: number } | null;

/** What a request probably asks for. Whether it does is decided with the record, by {@link requestedRange}. */
export function openingFor(headers: Headers): Opening {
  const value = headers.get("range");
  if (value === null || headers.has("if-range")) return null;
  const suffix = Number(/^bytes=-(\d+)$/.exec(value)?.[1] ?? 0);
  if (suffix > 0) return Number.isSafeInteger(suffix) ? { suffix } : null;
  const match = /^bytes=(\d+)-(\d*)$/.exec(value);
  const offset = Number(match?.[1]);
  const length = match?.[2] === "" ? undefined : Number(match?.[2]) - offset + 1;
  if (!Number.isSafeInteger(offset) || (length !== undefined && !(length > 0))) return null;
  if (length === undefined || !Number.isSafeInteger(length)) return { offset };
  return { offset, length };
}

/** Whether what was opened is just this part of an image, from its first to its last byte. */
export function isOpenedAt(opening: Opening, range: ByteRange, size: number): boolean {
  if (opening === null) return range.from === 0 && range.to === size;
  if ("suffix" in opening) return range.to === size && range.from === Math.max(0, size - opening.suffix);
  const end = opening.length === undefined ? size : Math.min(size, opening.offset + opening.length);
  return opening.offset === range.from && end === range.to;
}

const REFUSED: RangeAnswer = { kind: "refused" };

/**
 * @param size bytes of the image, above 0
 * @returns what Glance would answer to these headers on an image of this size
 */
export function requestedRange(headers: Headers, size: number): RangeAnswer {
  const range = headers.get("range");
  const contentRange = headers.get("content-range");
  if (range !== null && contentRange !== null) return REFUSED;
  if (range !== null) return parseRange(range, size);
  if (contentRange !== null) return parseContentRange(contentRange, size);
  return { kind: "whole" };
}

function parseRange(value: string, size: number): RangeAnswer {
  const suffix = /^bytes=-(\d+)$/.exec(value);
  if (suffix !== null) {
    const length = Number(suffix[1]);
    // Glance answers `-0` and a suffix longer than the image with all of it, as 206.
    return part(length === 0 || length > size ? 0 : size - length, size);
  }
  const match = /^bytes=(\d+)-(\d*)$/.exec(value);
  if (match === null) return REFUSED;
  const from = Number(match[1]);
  const last = match[2] === "" ? size - 1 : Number(match[2]);
  if (from >= size || last < from) return REFUSED;
  return part(from, Math.min(last + 1, size));
}

function parseContentRange(value: string, size: number): RangeAnswer {
  const match = /^bytes (\d+)-(\d+)\/(\*|\d+)$/.exec(value);
  if (match === null) return REFUSED;
  const from = Number(match[1]);
  const last = Number(match[2]);
  if (last < from || last >= size) return REFUSED;
  if (match[3] !== "*" && Number(match[3]) !== size) return REFUSED;
  return part(from, last + 1);
}

function part(from: number, to: number): RangeAnswer {
  return { kind: "part", range: { from, to } };
}
