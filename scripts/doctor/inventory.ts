/** Whether an edge can keep the images that there are. Pure. */
import { type Digest, strongestDigest } from "../../src/digest/algorithms.ts";
import { type Finding, no, unknown, yes } from "./finding.ts";
import type { ImageRecord } from "./images.ts";
import { count, sayBytes } from "./units.ts";

export function digestOf({ os_hash_algo, os_hash_value, checksum }: ImageRecord): Digest | null {
  const hash = os_hash_algo && os_hash_value ? { algorithm: os_hash_algo, value: os_hash_value } : null;
  return strongestDigest({ hash, checksum });
}

export function digestsThere(images: readonly ImageRecord[]): Finding {
  const what = "all active images have a digest";
  const active = images.filter(({ status }) => status === "active");
  if (active.length === 0) return unknown(what, "no active image is listed");
  const without = active.filter((image) => digestOf(image) === null);
  if (without.length === 0) return yes(what, count(active.length, "image"));
  return no(
    what,
    `${without.length} of ${count(active.length, "image")} have none, such as ${without[0]?.id}`,
    "They pass through and are never kept. Upload them again; images made from a location get one when Glance has do_secure_hash, or by validation_data.",
  );
}

/** An image is stored twice for a minute, so that half of the cap is the most. */
export function imagesFit(images: readonly ImageRecord[], cap: number, imageMax: number): Finding {
  const what = "all active images fit";
  const sizes = images.flatMap(({ status, size }) => (status === "active" && size !== null ? [size] : []));
  if (sizes.length === 0) return unknown(what, "no active image is listed");
  const most = Math.min(imageMax, Math.floor(cap / 2));
  const tooLarge = sizes.filter((size) => size > most);
  const largest = sayBytes(Math.max(...sizes));
  if (tooLarge.length === 0) return yes(what, `the largest has ${largest}, and up to ${sayBytes(most)} are kept`);
  return no(
    what,
    `${tooLarge.length} of ${count(sizes.length, "image")} have more than ${sayBytes(most)}, the largest ${largest}`,
    "They pass through and are never kept. CACHE_MAX_BYTES must be twice the largest image, IMAGE_MAX_BYTES at least its size.",
  );
}

/** The smallest active image whose digest can be checked. */
export function smallest(images: readonly ImageRecord[]): ImageRecord | null {
  const fit = images.filter((image) => image.status === "active" && (image.size ?? 0) > 0 && digestOf(image) !== null);
  return fit.reduce<ImageRecord | null>(
    (least, image) => ((image.size ?? 0) < (least?.size ?? Infinity) ? image : least),
    null,
  );
}
