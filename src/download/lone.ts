/**
 * The answer of a lone download: the image from the origin, past the Fill and nothing of it kept. The gate and the places are
 * alone.ts's; here is what its client sees.
 */
import type { Digester } from "../digest/digester.ts";
import { forward } from "../glance/forward.ts";
import { ImageBody, type ImageSource } from "../glance/image-body.ts";
import { addCacheStatus, type CacheOutcome, type Detail } from "../http/cache-status.ts";
import { gated, isMismatch, openAlone, sendRest } from "./alone.ts";
import { answerForward } from "./bypass.ts";
import type { Call } from "./call.ts";
import type { ImageHead } from "./decide.ts";
import { dataInit, imageHeaders } from "./headers.ts";
import { notifyAfter } from "./notify-after.ts";
import type { ByteRange } from "./range.ts";
import { ownError } from "./refusal.ts";

/** When a cache in trouble sends everybody to the origin, they go spread over so long, ms. */
const SPREAD_MS = 2_000;
/** After so long a client may try again where ALONE_MAX is reached, seconds. */
const RETRY_AFTER = 10;
/**
 * The largest image whose digest one invocation takes, bytes: SHA-512 and its streams cost 3.5 CPU seconds per GiB
 * (docs/performance.md), and there are five minutes (wrangler.toml).
 */
const GATE_MAX_BYTES = 50 * 2 ** 30;
/** Why many go to the origin at once, which they would not without an edge in front. */
const IN_TROUBLE = new Set<Detail>(["fill-unavailable", "store-unavailable"]);

/**
 * The image, or a part of it, from the origin: a whole one through a gate of its own. A part is the origin's own answer, as is
 * an image whose digest one invocation can't take.
 * @throws OriginUnreachable, BadOriginAnswer
 */
export async function answerAlone(
  call: Call,
  head: ImageHead,
  range: ByteRange | null,
  why: Detail,
): Promise<Response> {
  const isOrigins = range !== null || head.size > GATE_MAX_BYTES;
  const body = new ImageBody(sourceOf(call, head));
  const place = takePlace(call, isOrigins ? null : body);
  if (place === null) {
    const full = "The cache can't help now, and the origin's link is full. Try again later.";
    const origin = head.found.headers;
    return ownError(call, { status: 503, why: full, detail: why, origin, retryAfter: RETRY_AFTER });
  }
  try {
    if (IN_TROUBLE.has(why)) await scheduler.wait(Math.random() * SPREAD_MS);
    if (isOrigins) return await forwardAlone(call, range === null ? "too-large" : why, place);
    return await gatedAnswer(call, head, why, body, place);
  } catch (cause) {
    place();
    throw cause;
  }
}

async function gatedAnswer(
  call: Call,
  head: ImageHead,
  why: Detail,
  body: ImageBody,
  place: () => void,
): Promise<Response> {
  const { edge, request, target } = call;
  const outcome: CacheOutcome = { kind: "miss", stored: false, detail: why };
  if ((await openAlone(body)) === "refused") {
    place();
    const response = await forward(request, edge.settings);
    addCacheStatus(response.headers, outcome);
    return response;
  }
  if (body.firstByteMs !== null) edge.meter.observe("origin_first_byte_ms", body.firstByteMs);
  const { readable, passed } = gated(body, head);
  const ended = passed
    .then(() => edge.alone.agreed(target.imageId, edge.now()))
    .catch((cause: unknown) => {
      if (isMismatch(cause)) mismatched(call);
      if (!request.signal.aborted) edge.meter.add("cuts", "origin");
      if (!request.signal.aborted) edge.log.error("download.cut", cause, { image_id: target.imageId });
      return "cut" as const;
    })
    .finally(place);
  edge.background(ended);
  let sent = 0;
  const counted = ended.then((end) => {
    sent = end === "cut" ? Math.min(body.fetched, head.size - 1) : head.size;
  });
  notifyAfter(call, head, head.size, () => sent, counted);
  return new Response(readable, dataInit(imageHeaders(head, outcome, edge.requestId), head.size, null));
}

/** The origin's own answer, which has its place until its data has gone by. */
async function forwardAlone(call: Call, why: Detail, place: () => void): Promise<Response> {
  const response = await answerForward(call, why);
  const length = Number(response.headers.get("content-length"));
  if (response.body === null || response.status >= 300 || !(length > 0)) {
    place();
    return response;
  }
  const { readable, writable } = new FixedLengthStream(length);
  // Whoever broke it, the client sees that itself.
  call.edge.background(
    response.body
      .pipeTo(writable)
      .catch(() => undefined)
      .finally(place),
  );
  const { status, statusText, headers } = response;
  return new Response(readable, { status, statusText, headers, encodeBody: "manual" });
}

function takePlace({ edge, request }: Call, body: ImageBody | null): (() => void) | null {
  const moved = body === null ? null : () => body.fetched;
  return edge.alone.take(edge.settings.aloneMax, edge.now(), moved, request.signal);
}

/**
 * Ends a download by itself whose fill can't: the rest of it from the origin.
 * @param begun has digested what the client has
 * @returns false when no place is left for it, or its digest can't be taken in one invocation
 * @throws why it could not be sent
 */
export async function sendRestAlone(
  call: Call,
  head: ImageHead,
  begun: { readonly digestSent: () => Promise<Digester> },
  writable: WritableStream<Uint8Array>,
): Promise<boolean> {
  const { edge } = call;
  if (head.size > GATE_MAX_BYTES) return false;
  const body = new ImageBody(sourceOf(call, head));
  const place = takePlace(call, body);
  if (place === null) return false;
  try {
    await sendRest(body, head, await begun.digestSent(), writable);
    return true;
  } catch (broken) {
    if (isMismatch(broken)) mismatched(call);
    throw broken;
  } finally {
    edge.meter.add("bytes", "origin", body.fetched);
    place();
  }
}

/** What the origin has sent is not the image. */
function mismatched({ edge, target }: Call): void {
  edge.alone.mismatched(target.imageId, edge.now());
  edge.meter.add("mismatches", "download");
}

function sourceOf({ edge, request, target }: Call, { size }: ImageHead): ImageSource {
  return { target, caller: request.headers, at: edge.settings, size, stallMs: edge.settings.stallMs };
}
