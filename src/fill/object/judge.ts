/** What is to become of a queued image, by the origin's word about it. Pure. */

import { strongestDigest } from "../../digest/algorithms.ts";
import type { RecordAnswer } from "../../glance/ask-record.ts";
import type { Settings } from "../../settings.ts";
import { isCopyOf, type StoredImage } from "../../store/objects.ts";
import { roomFor } from "../../store/room.ts";
import type { Subject } from "../protocol.ts";

export type Verdict =
  | { readonly do: "fill"; readonly subject: Subject }
  /** It is kept already. */
  | { readonly do: "done" }
  /** The origin has it no more. */
  | { readonly do: "gone" }
  /** Not now; nothing is wrong. */
  | { readonly do: "wait"; readonly reason: string }
  | { readonly do: "fail"; readonly reason: string };

/**
 * @param kept what R2 holds of it, or null
 * @param seesAll whether a 404 means that the image is gone
 */
export function judge(
  imageId: string,
  answer: RecordAnswer,
  kept: StoredImage | null,
  seesAll: boolean,
  settings: Pick<Settings, "imageMaxBytes" | "cacheMaxBytes">,
): Verdict {
  if (answer.kind === "refused") return fail(`the origin refused the image's record with status ${answer.status}`);
  if (answer.kind === "not-found") {
    return seesAll ? { do: "gone" } : fail("the service account can't see the image, or it is gone");
  }
  const { record } = answer;
  if (record.status === "deleted" || record.status === "pending_delete") return { do: "gone" };
  if (record.status !== "active") return { do: "wait", reason: `the image's status is ${record.status}` };
  const digest = strongestDigest(record);
  // An image that was made from a location is active before its digest is known: the origin computes it behind.
  if (digest === null) return { do: "wait", reason: "the image's record states no digest that can be checked" };
  const { size, checksum, name } = record;
  if (kept !== null && isCopyOf(kept, digest, size)) return { do: "done" };
  if (size === null) return fail("the image's record states no size");
  if (size > settings.imageMaxBytes) return fail("the image is larger than IMAGE_MAX_BYTES");
  if (roomFor(size) > settings.cacheMaxBytes) return fail("the image is larger than half of CACHE_MAX_BYTES");
  return { do: "fill", subject: { imageId, digest, checksum, size, name } };
}

function fail(reason: string): Verdict {
  return { do: "fail", reason };
}
