/**
 * Whether the Glance at the origin asks its policy `download_image` before it looks at a Range. Since Xena it does, in
 * glance/api/v2/image_data.py `download`. From Pike, the first to know Range, to Wallaby it did so only on the way to the
 * data (glance/api/policy.py, ImageProxy.get_data), behind the check of the range: a 416 of theirs tells that the caller
 * may see the image, not that the caller may download it.
 */
import * as v from "valibot";
import { readText } from "../http/read-text.ts";
import { USER_AGENT } from "../http/user-agent.ts";
import { parseJson } from "../json.ts";
import type { Log } from "../observe/log.ts";
import { fetchOrigin } from "./forward.ts";

/**
 * API version that no Glance before Xena knows and each one since Zed at the latest lists, whatever its configuration. v2.14,
 * Xena's own, is listed only with Glance's cache on, and an edge behind this one adds it (versions.ts).
 */
const MARK = "v2.15";

/** A Glance is upgraded now and then. ms */
const BELIEVED_MS = 10 * 60_000;
/** One that does not answer is left in peace for a while: no download is to wait for it each time. ms */
const UNKNOWN_MS = 60_000;

/** Without an answer in this time the right is asked for in the way that fits every Glance. ms */
const PATIENCE_MS = 3_000;

const Versions = v.object({ versions: v.array(v.fallback(v.object({ id: v.unknown() }), { id: null })) });

/** The document is about 4 KB. */
const MAX_DOCUMENT_BYTES = 64 * 1024;

export class PolicyOrder {
  /** By the origin's base URL. */
  readonly #known = new Map<string, { readonly policyFirst: boolean; readonly until: number }>();

  /** Never throws: what can't be learned is a no, which costs a second question and never lets a caller pass. */
  async isPolicyFirst(origin: string, now: number, log: Log): Promise<boolean> {
    const known = this.#known.get(origin);
    if (known !== undefined && now < known.until) return known.policyFirst;
    try {
      const policyFirst = await listsMark(origin);
      this.#known.set(origin, { policyFirst, until: now + BELIEVED_MS });
      return policyFirst;
    } catch (cause) {
      log.error("origin.versions-failed", cause);
      this.#known.set(origin, { policyFirst: false, until: now + UNKNOWN_MS });
      return false;
    }
  }
}

/** @throws OriginUnreachable, or TypeError when the answer is no versions document */
async function listsMark(origin: string): Promise<boolean> {
  const response = await fetchOrigin(origin, "/versions", {
    headers: { accept: "application/json", "accept-encoding": "identity", "user-agent": USER_AGENT },
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  const text = await readText(response, "the origin's versions", MAX_DOCUMENT_BYTES, PATIENCE_MS);
  const document = v.safeParse(Versions, parseJson(text));
  if (!document.success) throw new TypeError(`no versions document at the origin, but status ${response.status}`);
  return document.output.versions.some(({ id }) => id === MARK);
}
