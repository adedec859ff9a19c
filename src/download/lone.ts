/**
 * The answer of a lone download: the image from the origin, past the Fill and nothing of it kept. The gate and the places are
 * alone.ts's; here is what its client sees.
 */
import type { Digester } from "../digest/digester.ts";
import { forward } from "../glance/forward.ts";
import type { ImageSource } from "../glance/image-body.ts";
import { addCacheStatus, type CacheOutcome, type Detail } from "../http/cache-status.ts";
import { gated, isMismatch, openAlone, sendRest } from "./alone.ts";
import type { Call } from "./call.ts";
import type { ImageHead } from "./decide.ts";
import { dataInit, imageHeaders } from "./headers.ts";
import { notifyAfter } from "./notify-after.ts";
import { ownError } from "./refusal.ts";

/** When a cache in trouble sends everybody to the origin, they go spread over so long, ms. */
const SPREAD_MS = 2_000;
/** After so long a client may try again where ALONE_MAX is reached, seconds. */
const RETRY_AFTER = 10;
/** Why many go to the origin at once, which they would not without an edge in front. */
const IN_TROUBLE = new Set<Detail>(["fill-unavailable", "store-unavailable"]);

/** A whole image from the origin through a gate of its own. @throws OriginUnreachable, BadOriginAnswer */
export async function answerAlone(call: Call, head: ImageHead, why: Detail): Promise<Response> {
  const { edge, request, target } = call;
  const outcome: CacheOutcome = { kind: "miss", stored: false, detail: why };
  const place = edge.alone.take(edge.settings.aloneMax);
  if (place === null) {
    const full = "The cache can't help now, and the origin's link is full. Try again later.";
    const origin = head.found.headers;
    return ownError(call, { status: 503, why: full, detail: why, origin, retryAfter: RETRY_AFTER });
  }
  try {
    if (IN_TROUBLE.has(why)) await scheduler.wait(Math.random() * SPREAD_MS);
    const opened = await openAlone(sourceOf(call, head));
    if (opened.kind === "refused") {
      place();
      const response = await forward(request, edge.settings);
      addCacheStatus(response.headers, outcome);
      return response;
    }
    const { readable, passed } = gated(opened.body, head);
    const ended = passed
      .then(() => edge.alone.agreed(target.imageId, edge.now()))
      .catch((cause: unknown) => {
        if (isMismatch(cause)) {
          edge.alone.mismatched(target.imageId, edge.now());
          edge.meter.add("mismatches", "download");
        }
        if (!request.signal.aborted) edge.meter.add("cuts", "origin");
        if (!request.signal.aborted) edge.log.error("download.cut", cause, { image_id: target.imageId });
        return "cut" as const;
      })
      .finally(place);
    edge.background(ended);
    let sent = 0;
    const counted = ended.then((end) => {
      sent = end === "cut" ? Math.min(opened.body.fetched, head.size - 1) : head.size;
    });
    notifyAfter(call, head, head.size, () => sent, counted);
    return new Response(readable, dataInit(imageHeaders(head, outcome, edge.requestId), head.size, null));
  } catch (cause) {
    place();
    throw cause;
  }
}

/**
 * Ends a download by itself whose fill can't: the rest of it from the origin.
 * @param begun has digested what the client has
 * @returns false when no place is left for it
 * @throws why it could not be sent
 */
export async function sendRestAlone(
  call: Call,
  head: ImageHead,
  begun: { readonly digestSent: () => Promise<Digester> },
  writable: WritableStream<Uint8Array>,
): Promise<boolean> {
  const { edge, target } = call;
  const place = edge.alone.take(edge.settings.aloneMax);
  if (place === null) return false;
  try {
    await sendRest(sourceOf(call, head), head, await begun.digestSent(), writable);
    return true;
  } catch (broken) {
    if (isMismatch(broken)) edge.alone.mismatched(target.imageId, edge.now());
    throw broken;
  } finally {
    place();
  }
}

function sourceOf({ edge, request, target }: Call, { size }: ImageHead): ImageSource {
  return { target, caller: request.headers, at: edge.settings, size, stallMs: edge.settings.stallMs };
}
