/** Why an image is not stored, whatever else there is: what its record and the settings tell. Pure. */

import type { ImageRecord } from "../glance/record.ts";
import { isSelected, type Selection } from "../lib/selection.ts";
import { type Caps, mayFit } from "../store/room.ts";

/** Which images are stored at all. */
export interface Limits extends Caps {
  readonly imageMaxBytes: number;
  /** Null: all. */
  readonly cacheImages: Selection | null;
}

export type Unfit = "too-large" | "not-selected" | "no-room";

/** For operators. */
export const UNFIT: Readonly<Record<Unfit, string>> = {
  "too-large": "the image is larger than IMAGE_MAX_BYTES",
  "not-selected": "the image is none that CACHE_IMAGES names",
  "no-room": "the image is larger than half of CACHE_MAX_BYTES, or of its project's share (OWNER_MAX_PERCENT)",
};

/** @returns null when nothing speaks against it */
export function whyUnfit({ owner, traits }: ImageRecord, size: number, limits: Limits): Unfit | null {
  if (size > limits.imageMaxBytes) return "too-large";
  if (limits.cacheImages !== null && !isSelected(traits, limits.cacheImages)) return "not-selected";
  return mayFit({ size, owner }, limits) ? null : "no-room";
}
