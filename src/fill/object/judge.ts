/** What is to become of a queued image, by the origin's word about it. Pure. */

import { strongestDigest } from "../../digest/algorithms.ts";
import type { RecordAnswer } from "../../glance/ask-record.ts";
import { isSelected } from "../../lib/selection.ts";
import type { Settings } from "../../settings.ts";
import { isCopyOf, type StoredImage } from "../../store/objects.ts";
import type { Subject } from "../protocol.ts";
import { type Limits, UNFIT, whyUnfit } from "../unfit.ts";

export type Verdict =
  | { readonly do: "fill"; readonly subject: Subject }
  /** It is kept already. */
  | { readonly do: "done" }
  /** The origin has it no more, or nobody wants it any more. */
  | { readonly do: "gone" }
  /** Not now; nothing is wrong. */
  | { readonly do: "wait"; readonly reason: string }
  | { readonly do: "fail"; readonly reason: string };

/** What a queued image is judged by, beside what is said of it. */
export interface Judging {
  /** Whether a 404 means that the image is gone. */
  readonly seesAll: boolean;
  /** Nobody but PREFETCH_IMAGES wants it: what can't be fetched is no matter until the next change of the image. */
  readonly byPolicy: boolean;
}

type Rules = Limits & Pick<Settings, "pinImages" | "prefetchImages">;

/**
 * @param kept what R2 holds of it, or null
 */
export function judge(
  imageId: string,
  answer: RecordAnswer,
  kept: StoredImage | null,
  { seesAll, byPolicy }: Judging,
  settings: Rules,
): Verdict {
  const verdict = judgeAnswer(imageId, answer, kept, seesAll, settings);
  if (!byPolicy) return verdict;
  const named = answer.kind === "found" && isSelected(answer.record.traits, settings.prefetchImages);
  if (verdict.do === "fill") return named ? verdict : { do: "gone" };
  // Its next change puts it into the queue again; a refusal tells nothing of the image.
  return answer.kind === "refused" ? verdict : { do: verdict.do === "done" ? "done" : "gone" };
}

function judgeAnswer(
  imageId: string,
  answer: RecordAnswer,
  kept: StoredImage | null,
  seesAll: boolean,
  settings: Rules,
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
  const { size, checksum, name, owner, traits } = record;
  if (kept !== null && isCopyOf(kept, digest, size)) return { do: "done" };
  if (size === null) return fail("the image's record states no size");
  const unfit = whyUnfit(record, size, settings);
  if (unfit !== null) return fail(UNFIT[unfit]);
  const pinned = isSelected(traits, settings.pinImages);
  return { do: "fill", subject: { imageId, digest, checksum, size, name, owner, pinned } };
}

function fail(reason: string): Verdict {
  return { do: "fail", reason };
}
