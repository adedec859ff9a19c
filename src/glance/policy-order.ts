/**
 * Whether the Glance at the origin asks its policy `download_image` before it looks at a Range. Since Xena it does, in
 * glance/api/v2/image_data.py `download`. From Pike, the first to know Range, to Wallaby it did so only on the way to the
 * data (glance/api/policy.py, ImageProxy.get_data), behind the check of the range: a 416 of theirs tells that the caller
 * may see the image, not that the caller may download it.
 */
import * as v from "valibot";
import { readText } from "../http/read-text.ts";
import { USER_AGENT } from "../http/user-agent.ts";
import { parseJson } from "../lib/json.ts";
import type { Log } from "../lib/log.ts";
import { fetchOrigin, type OriginAccess } from "./forward.ts";
import { MAX_DOCUMENT_BYTES } from "./versions.ts";

/**
 * API version that no Glance before Xena knows and each one since Zed at the latest lists, whatever its configuration. v2.14,
 * Xena's own, is listed only with Glance's cache on, and an edge behind this one adds it (versions.ts).
 */
export const MARK = "v2.15";

/** A Glance is upgraded now and then. ms */
const BELIEVED_MS = 10 * 60_000;
/** So long what was known goes for one that is being asked again, or does not answer. ms */
const BELIEVED_AT_MOST_MS = 30 * 60_000;
/** One that does not answer is left in peace for a while: no download is to wait for it each time. ms */
const UNKNOWN_MS = 60_000;

/** Without an answer in this time the right is asked for in the way that fits every Glance. ms */
const PATIENCE_MS = 3_000;
/** How often one that waits for the answer to another one's question looks for it. ms */
const LOOK_MS = 25;

const Versions = v.object({ versions: v.array(v.fallback(v.object({ id: v.unknown() }), { id: null })) });

/** What is known of one origin. Times in ms since the epoch. */
interface Order {
  policyFirst: boolean;
  /** Of the answer; -Infinity: there was none yet. */
  at: number;
  /** Not asked again before. */
  askAt: number;
  /** Somebody asks, and will be done by then; should the platform end that one's request, nobody says so. */
  askedUntil: number;
}

export class PolicyOrder {
  /** By the origin's base URL. */
  readonly #orders = new Map<string, Order>();

  /**
   * Asked once at a time. What was known goes on meanwhile; who comes before anything is known waits for the answer.
   * Never throws: what can't be learned is a no, which costs a second question and never lets a caller pass.
   * @param background lets a question go on behind the answer to the client
   */
  async isPolicyFirst(
    at: OriginAccess,
    now: number,
    log: Log,
    background: (work: Promise<unknown>) => void,
  ): Promise<boolean> {
    const order = this.#orderOf(at.origin);
    const known = now - order.at < BELIEVED_AT_MOST_MS;
    const asking = now < order.askedUntil;
    if (!asking && now >= order.askAt) {
      const learned = learn(order, at, now, log);
      if (known) background(learned);
      else await learned;
    } else if (!known && asking) {
      await learnedByOther(order);
    }
    return now - order.at < BELIEVED_AT_MOST_MS && order.policyFirst;
  }

  #orderOf(origin: string): Order {
    const order = this.#orders.get(origin) ?? { policyFirst: false, at: -Infinity, askAt: -Infinity, askedUntil: 0 };
    this.#orders.set(origin, order);
    return order;
  }
}

async function learn(order: Order, at: OriginAccess, now: number, log: Log): Promise<void> {
  // The head and the body each have their time.
  order.askedUntil = now + 2 * PATIENCE_MS;
  try {
    order.policyFirst = await listsMark(at);
    order.at = now;
    order.askAt = now + BELIEVED_MS;
  } catch (cause) {
    log.error("origin.versions-failed", cause);
    order.askAt = now + UNKNOWN_MS;
  }
  order.askedUntil = 0;
}

/** Looks by a clock of its own: in Workers no request may wait for another one's I/O. */
async function learnedByOther(order: Order): Promise<void> {
  for (let waited = 0; waited < PATIENCE_MS && order.askedUntil > 0; waited += LOOK_MS) await scheduler.wait(LOOK_MS);
}

/** @throws OriginUnreachable, BadOriginAnswer, AnswerTooLarge, DeadlineExceeded, or TypeError for no versions document */
async function listsMark(at: OriginAccess): Promise<boolean> {
  const response = await fetchOrigin(at, "/versions", {
    headers: { accept: "application/json", "accept-encoding": "identity", "user-agent": USER_AGENT },
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  const text = await readText(response, "the origin's versions", MAX_DOCUMENT_BYTES, PATIENCE_MS);
  const document = v.safeParse(Versions, parseJson(text));
  if (!document.success) throw new TypeError(`no versions document at the origin, but status ${response.status}`);
  return document.output.versions.some(({ id }) => id === MARK);
}
