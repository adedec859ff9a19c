/** What is to become of a queued image, by the origin's word about it. Pure. */
import type { Settings } from "../config.ts";
import type { RecordAnswer } from "../origin/authorize.ts";
import { blobName, strongestDigest } from "../store/blob.ts";
import type { StoredImage } from "../store/catalog.ts";
import type { Subject } from "./protocol.ts";

export type PrefetchVerdict =
  | { readonly do: "fill"; readonly subject: Subject }
  /** It is stored already. */
  | { readonly do: "done" }
  /** The origin has it no more. */
  | { readonly do: "gone" }
  /** Not now; nothing is wrong. */
  | { readonly do: "wait"; readonly reason: string }
  | { readonly do: "fail"; readonly reason: string };

/**
 * @param stored the copy in the catalog, or null
 * @param seesAll whether a 404 means that the image is gone
 */
export function judge(
  imageId: string,
  answer: RecordAnswer,
  stored: StoredImage | null,
  seesAll: boolean,
  settings: Pick<Settings, "imageMaxBytes" | "cacheMaxBytes">,
): PrefetchVerdict {
  if (answer.kind === "refused") return fail(`the origin refused the image's record with status ${answer.status}`);
  if (answer.kind === "not-found") {
    return seesAll ? { do: "gone" } : fail("the service account can't see the image, or it is gone");
  }
  const { record } = answer;
  if (record.status === "deleted" || record.status === "pending_delete") return { do: "gone" };
  if (record.status !== "active") return { do: "wait", reason: `the image's status is ${record.status}` };
  const digest = strongestDigest(record);
  if (digest === null) return fail("the image's record states no digest that can be checked");
  const blob = blobName(imageId, digest);
  if (stored !== null && stored.blob === blob) return { do: "done" };
  const { size, checksum } = record;
  if (size === null) return fail("the image's record states no size");
  if (size > settings.imageMaxBytes) return fail("the image is larger than IMAGE_MAX_BYTES");
  if (size > settings.cacheMaxBytes) return fail("the image is larger than CACHE_MAX_BYTES");
  return { do: "fill", subject: { imageId, blob, digest, checksum, size } };
}

function fail(reason: string): PrefetchVerdict {
  return { do: "fail", reason };
}
