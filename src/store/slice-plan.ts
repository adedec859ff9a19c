/**
 * How an image is cut into slices: pure arithmetic. The first `sliceBytes` of an image are cut into eight small lead
 * slices, so that a reader which joins a fill gets its first byte after an eighth of the time that a slice takes;
 * everything after them is cut into whole slices of `sliceBytes`, the last one shorter.
 */

/** Number of lead slices. `sliceBytes` must be a multiple of it. */
const LEAD = 8;

export interface SlicePlan {
  /** Bytes of the whole image, above 0. */
  readonly size: number;
  readonly sliceBytes: number;
}

/** A piece of one slice: `length` bytes from `offset`, counted from the slice's own start. */
export interface SlicePart {
  readonly slice: number;
  readonly offset: number;
  readonly length: number;
  /** Whether the part is all of the slice. */
  readonly whole: boolean;
}

/** Index of the slice that holds this byte of the image. */
export function sliceAt(plan: SlicePlan, byte: number): number {
  const lead = plan.sliceBytes / LEAD;
  return byte < plan.sliceBytes ? Math.floor(byte / lead) : LEAD - 1 + Math.floor(byte / plan.sliceBytes);
}

/** Number of slices of the image. */
export function sliceCount(plan: SlicePlan): number {
  return sliceAt(plan, plan.size - 1) + 1;
}

/** The image's byte at which this slice starts. For `sliceCount` it is where a further slice would start. */
export function sliceStart(plan: SlicePlan, slice: number): number {
  return slice < LEAD ? slice * (plan.sliceBytes / LEAD) : (slice - LEAD + 1) * plan.sliceBytes;
}

/** Bytes of this slice. */
export function sliceLength(plan: SlicePlan, slice: number): number {
  return Math.min(sliceStart(plan, slice + 1), plan.size) - sliceStart(plan, slice);
}

/** The parts that cover the image's bytes `from` (inclusive) to `to` (exclusive), in order. */
export function partsOf(plan: SlicePlan, from: number, to: number): SlicePart[] {
  const parts: SlicePart[] = [];
  for (let at = from; at < to; ) {
    const slice = sliceAt(plan, at);
    const offset = at - sliceStart(plan, slice);
    const whole = sliceLength(plan, slice);
    const length = Math.min(whole - offset, to - at);
    parts.push({ slice, offset, length, whole: length === whole });
    at += length;
  }
  return parts;
}

/** More slices than that would make a reader of a large image ask the store and the fill too often in one invocation. */
const MAX_SLICES = 8_192;
/** Four of them, three puts and one being filled, are all that the Fills of an isolate have (src/fill/object/pool.ts). */
const MAX_SLICE_BYTES = 16 * 2 ** 20;

/** The slice size for an image: the setting's, or more where that would make too many. @param size bytes of the image */
export function planSlices(size: number, sliceBytes: number): number {
  let bytes = sliceBytes;
  while (size / bytes > MAX_SLICES && bytes * 2 <= MAX_SLICE_BYTES) bytes *= 2;
  return bytes;
}
