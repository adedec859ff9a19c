/**
 * The manifest of an image in parts: what stands under `images/<id>` in the place of an image too large for one put. Keys of
 * parts are computed, never read from it.
 */
import * as v from "valibot";

const HEX64 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

const Manifest = v.object({
  /** Bytes of each part but the last, which may be shorter. */
  part_bytes: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  /** SHA-256 of each part, in order. */
  sha256: v.pipe(v.array(HEX64), v.minLength(1)),
});

/** How an image is kept in parts. */
export interface PartPlan {
  /** Bytes of each part but the last, which may be shorter. */
  readonly partBytes: number;
  /** SHA-256 of each part, lower-case hex. */
  readonly sums: readonly string[];
}

export function writeManifest({ partBytes, sums }: PartPlan): string {
  return JSON.stringify({ part_bytes: partBytes, sha256: sums });
}

/** @returns null for a text that is no manifest of an image of this size, bytes */
export function readManifest(text: string, size: number): PartPlan | null {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return null; // Not JSON: then it is none.
  }
  const read = v.safeParse(Manifest, json);
  if (!read.success) return null;
  const { part_bytes: partBytes, sha256: sums } = read.output;
  return Math.ceil(size / partBytes) === sums.length ? { partBytes, sums } : null;
}

/** A piece of one part: `length` bytes from `offset`. */
export interface PartPiece {
  readonly part: number;
  readonly sum: string;
  /** Bytes of the whole part. */
  readonly size: number;
  readonly offset: number;
  readonly length: number;
}

/** The pieces that cover an image's bytes `from` (inclusive) to `to` (exclusive), in order. @param size bytes of the image */
export function piecesOf({ partBytes, sums }: PartPlan, size: number, from: number, to: number): PartPiece[] {
  const pieces: PartPiece[] = [];
  for (let at = from; at < to; ) {
    const part = Math.floor(at / partBytes);
    const start = part * partBytes;
    const partSize = Math.min(partBytes, size - start);
    const offset = at - start;
    const length = Math.min(partSize - offset, to - at);
    pieces.push({ part, sum: sums[part] ?? "", size: partSize, offset, length });
    at += length;
  }
  return pieces;
}
