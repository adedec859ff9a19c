/**
 * The origin decides (invariant 1): before a cached byte leaves, the origin is asked, as the caller, for the image's
 * record and for the right to download it (ask-right.ts). Anything but a clear yes to both is a no here, and the original
 * request is then forwarded, so that every refusal is the origin's own.
 */
import * as v from "valibot";
import { callerHeaders } from "../http/headers.ts";
import { readText } from "../http/read-text.ts";
import { parseJson } from "../lib/json.ts";
import { BadOriginAnswer } from "./bad-answer.ts";
import { ANSWER_MS, fetchOrigin, type OriginAccess } from "./forward.ts";
import { type ImageRecord, parseRecordV1, parseRecordV2 } from "./record.ts";
import { type ImageTarget, recordPath } from "./target.ts";

/**
 * A record is some KB. Glance allows 128 properties (image_property_quota) of up to 64 KiB, which nobody uses: one of more
 * than 1 MiB is not read, and its image passes through.
 */
const MAX_BYTES = 2 ** 20;

const ImageList = v.object({ images: v.array(v.unknown()) });

export type RecordAnswer =
  /** `headers`: those of the answer; in v1 they are the record, and what an answer with data carries as well. */
  | { readonly kind: "found"; readonly record: ImageRecord; readonly headers: Headers }
  | { readonly kind: "not-found" }
  | { readonly kind: "refused"; readonly status: number };

/**
 * Asks for the image's record as the caller.
 * @throws OriginUnreachable
 * @throws BadOriginAnswer also when its 200 is no image record, or none that can be read
 */
export async function askRecord(target: ImageTarget, client: Headers, at: OriginAccess): Promise<RecordAnswer> {
  const headers = callerHeaders(client);
  headers.set("accept", target.api === "v2" ? "application/json" : "*/*");
  headers.set("accept-encoding", "identity");
  const method = target.api === "v2" ? "GET" : "HEAD";
  const response = await fetchOrigin(at, recordPath(target), { method, headers });
  if (response.status === 200) {
    try {
      return { kind: "found", record: await readRecord(target, response), headers: response.headers };
    } catch (cause) {
      throw new BadOriginAnswer("the origin's 200 is no record of the image", { cause });
    }
  }
  await response.body?.cancel();
  return response.status === 404 ? { kind: "not-found" } : { kind: "refused", status: response.status };
}

/** @throws TypeError, AnswerTooLarge, DeadlineExceeded */
async function readRecord({ api, imageId }: ImageTarget, response: Response): Promise<ImageRecord> {
  if (api === "v2") return parseRecordV2(await readAnswer(response, "the image's record"), imageId);
  await response.body?.cancel();
  return parseRecordV1(response.headers, imageId);
}

/**
 * Whether Glance itself answers at the origin, by a list of images for this caller. A 404 of something in front of it, while
 * Glance is being replaced, says nothing about an image.
 * @throws OriginUnreachable, BadOriginAnswer, AnswerTooLarge, DeadlineExceeded
 */
export async function isGlance(client: Headers, at: OriginAccess): Promise<boolean> {
  const headers = callerHeaders(client);
  headers.set("accept", "application/json");
  headers.set("accept-encoding", "identity");
  const response = await fetchOrigin(at, "/v2/images?limit=1", { method: "GET", headers });
  if (response.status !== 200) {
    await response.body?.cancel();
    return false;
  }
  return v.is(ImageList, parseJson(await readAnswer(response, "the origin's list of images")));
}

function readAnswer(response: Response, what: string): Promise<string> {
  return readText(response, what, MAX_BYTES, ANSWER_MS);
}
