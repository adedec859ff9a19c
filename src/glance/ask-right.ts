/**
 * Whether a caller may download an image, by the origin's own word and without moving a byte of it. Asked for a range that
 * begins behind every end, Glance looks up the image, its status and its policy as for any download, and then refuses the range
 * with 416 before it opens its store (glance/api/v2/image_data.py, ResponseSerializer.download; glance/common/wsgi.py,
 * get_range_from_request). A range that it accepts would be no such question: a store without random access (Ceph RBD,
 * S3, Swift, VMware, HTTP) answers 400 even to the first byte, and warns in Glance's log.
 */
import { callerHeaders } from "../http/headers.ts";
import { AnswerTooLarge, readText } from "../http/read-text.ts";
import { ANSWER_MS, fetchOrigin, type OriginAccess } from "./forward.ts";
import { dataPath, type ImageTarget } from "./target.ts";

/** Behind the end of any image, and a size still fits a signed 64-bit number where something on the way parses it. */
export const REFUSED_RANGE = `bytes=${2n ** 63n - 2n}-`;
const FIRST_BYTE = "bytes=0-0";

/** Glance's own words, in whatever form (JSON, HTML, text; WebOb's choice has changed over time). Never translated. */
const REFUSED_START =
  /Invalid start position in Range header\. Start position MUST be in the inclusive range \[0, -?\d+\]/;
/** Of glance_store/exceptions.py, StoreRandomGetNotSupported. */
export const NO_RANDOM_ACCESS = "Getting images randomly from this store is not supported.";

/** Glance's refusals take some 400 bytes. */
const MAX_REFUSAL_BYTES = 8 * 1024;

/**
 * @param isPolicyFirst asked at the same time, of a v2 origin only; never rejects (policy-order.ts)
 * @param onStrange416 told of a 416 without Glance's words
 * @returns false for whatever is not a clear yes of Glance's own
 * @throws OriginUnreachable, BadOriginAnswer, AnswerTooLarge, DeadlineExceeded
 */
export async function askRight(
  target: ImageTarget,
  client: Headers,
  at: OriginAccess,
  isPolicyFirst: () => Promise<boolean>,
  onStrange416: () => void,
): Promise<boolean> {
  const ask = (range: string) => probe(at, dataPath(target), client, range);
  // API v1 knows no Range: the policy is asked, and the whole image begins to come.
  if (target.api === "v1") return isData(await ask(FIRST_BYTE));
  const policyFirst = isPolicyFirst();
  const refusal = await ask(REFUSED_RANGE);
  // A Glance before Pike ignores Range as well.
  if (refusal.status !== 416) return isData(refusal);
  // What stands before Glance may write its own page for a 416, or say it of itself: that is no word about a right.
  if (!REFUSED_START.test(await readRefusal(refusal))) onStrange416();
  else if (await policyFirst) return true;
  // That was only the right to see the image, if any. Asked for data, every Glance asks its policy first and its store then.
  const first = await ask(FIRST_BYTE);
  if (first.status === 400) return (await readRefusal(first)).includes(NO_RANDOM_ACCESS);
  return isData(first);
}

function probe(at: OriginAccess, path: string, client: Headers, range: string): Promise<Response> {
  const headers = callerHeaders(client);
  headers.set("range", range);
  headers.set("accept", "application/json");
  headers.set("accept-encoding", "identity");
  return fetchOrigin(at, path, { method: "GET", headers });
}

/** An answer's text; nothing of one that is too long for a refusal of Glance's. @throws DeadlineExceeded, whatever a connection that breaks throws */
export async function readRefusal(response: Response): Promise<string> {
  try {
    return await readText(response, "a refusal of the origin", MAX_REFUSAL_BYTES, ANSWER_MS);
  } catch (cause) {
    if (cause instanceof AnswerTooLarge) return "";
    throw cause;
  }
}

/** Whether the data begin to come; they are not wanted. */
async function isData(response: Response): Promise<boolean> {
  // One byte is read to its end, which keeps the connection usable; anything longer is not worth its bytes.
  if (response.headers.get("content-length") === "1") await readRefusal(response);
  else await response.body?.cancel();
  return response.status === 200 || response.status === 206;
}
