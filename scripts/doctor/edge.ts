/** The edge from a client's side: its health, and one image through it. */
import { setTimeout as sleep } from "node:timers/promises";
import * as v from "valibot";
import type { Digest } from "../../src/digest/algorithms.ts";
import { parseJson } from "../../src/lib/json.ts";
import { ask, NoAnswer } from "./ask.ts";
import { challengeOf, TURN_OFF } from "./challenge.ts";
import { type Download, download } from "./download.ts";
import { type Finding, no, yes } from "./finding.ts";
import { findImage, type ImageRecord } from "./images.ts";
import { sayBytes } from "./units.ts";

const POLL_MS = 1_000;
/** A copy is kept some seconds behind its first download; a large one takes its time to be put. */
const STORED_MS = 120_000;
const RANGE_BYTES = 64 * 2 ** 10;
const HIT = /^glance-edge; hit\b/;

const Health = v.object({
  failing: v.array(v.string()),
  checks: v.record(v.string(), v.object({ why: v.nullable(v.string()) })),
});

export async function isWell(edge: string): Promise<Finding> {
  const what = "the edge has all that it needs";
  try {
    const reply = await ask(`${edge}/edge/health`);
    const challenge = challengeOf(reply);
    if (challenge !== null) return no(what, challenge, TURN_OFF);
    const read = v.safeParse(Health, parseJson(reply.text));
    if (!read.success) {
      return no(
        what,
        `${edge}/edge/health: status ${reply.status}`,
        "What answers there is no glance-edge: look at the Worker's route.",
      );
    }
    const { failing, checks } = read.output;
    if (failing.length === 0) return yes(what, Object.keys(checks).join(", "));
    const seen = failing.map((name) => `${name}: ${checks[name]?.why ?? "fails"}`).join("; ");
    return no(what, seen, `Mend what ${edge}/edge/health names; the edge's log has the rest.`);
  } catch (cause) {
    return broken(what, cause);
  }
}

export interface Subject {
  readonly image: ImageRecord;
  readonly digest: Digest;
  readonly token: string;
}

/** Record and right: what a client needs before any byte. */
export async function mayDownload(edge: string, { image, token }: Subject): Promise<Finding> {
  const what = "who asks may download an image through the edge";
  try {
    const record = await findImage(edge, token, image.id);
    const head = await ask(fileOf(edge, image), { method: "HEAD", headers: { "x-auth-token": token } });
    const challenge = challengeOf(head);
    if (challenge !== null) return no(what, challenge, TURN_OFF);
    if (record?.id === image.id && head.status === 200) return yes(what, `${image.id}, ${sayBytes(image.size ?? 0)}`);
    const seen = `${image.id}: ${record === null ? "no record" : "record"}, HEAD of its data ${head.status}`;
    return no(what, seen, "Is ORIGIN_URL the Glance of this Keystone? The edge passes on what Glance says.");
  } catch (cause) {
    return broken(what, cause);
  }
}

/** Downloads the image until it comes from the store. @returns that download, or null */
export async function isKept(edge: string, { image, digest, token }: Subject): Promise<[Finding, Download | null]> {
  const what = "a second download is a hit, with the right bytes";
  const url = fileOf(edge, image);
  const look = async (got: Download): Promise<Finding | null> => {
    const status = got.headers.get("cache-status") ?? "none";
    const seen = `status ${got.status}, Cache-Status: ${status}`;
    if (got.status !== 200) return no(what, seen, "Look for this request in the edge's log.");
    if (!got.isRight)
      return no(what, `${seen}, wrong bytes`, "The origin's data do not match its record: verify the image at Glance.");
    if (status === "none") return no(what, seen, "What answers there is no glance-edge: look at the Worker's route.");
    if (!/^glance-edge; (hit|fwd=uri-miss; (stored|collapsed))/.test(status)) {
      return no(what, seen, "README's table of Cache-Status says what this `detail` means.");
    }
    return null;
  };
  try {
    const first = await download(url, token, digest);
    const wrong = await look(first);
    if (wrong !== null) return [wrong, null];
    if (!(await isStored(url, token))) {
      return [no(what, `not stored within ${STORED_MS / 1000} s`, "Look for `fill.` in the edge's log."), null];
    }
    const second = await download(url, token, digest);
    const status = second.headers.get("cache-status") ?? "none";
    const stillWrong = await look(second);
    if (stillWrong !== null) return [stillWrong, null];
    return HIT.test(status)
      ? [yes(what, status), second]
      : [no(what, status, "Look for this request in the edge's log."), null];
  } catch (cause) {
    return [broken(what, cause), null];
  }
}

async function isStored(url: string, token: string): Promise<boolean> {
  for (const end = performance.now() + STORED_MS; performance.now() < end; await sleep(POLL_MS)) {
    const headers = { "x-auth-token": token, "cache-control": "only-if-cached" };
    const { headers: said } = await ask(url, { method: "HEAD", headers });
    if (HIT.test(said.get("cache-status") ?? "")) return true;
  }
  return false;
}

export async function givesRanges(edge: string, { image, token }: Subject): Promise<Finding> {
  const what = "the edge gives a range";
  const wanted = Math.min(RANGE_BYTES, image.size ?? 0);
  try {
    const headers = { "x-auth-token": token, range: `bytes=0-${RANGE_BYTES - 1}` };
    const { status, headers: said } = await ask(fileOf(edge, image), { headers });
    const seen = `status ${status}, ${said.get("content-range") ?? "no Content-Range"}`;
    return status === 206 && said.get("content-length") === String(wanted)
      ? yes(what, seen)
      : no(what, seen, "Does something in front of the edge take Range away, or change bodies?");
  } catch (cause) {
    return broken(what, cause);
  }
}

function fileOf(base: string, { id }: ImageRecord): string {
  return `${base}/v2/images/${id}/file`;
}

function broken(what: string, cause: unknown): Finding {
  if (!(cause instanceof NoAnswer)) throw cause;
  return no(what, cause.message, "Try again; then look at the way there, and at the edge's log.");
}
