/** A plan becomes an answer: one function for each. */

import type { Edge } from "../edge.ts";
import { FillClient } from "../fill/client.ts";
import type { Errand, FillProblem, Relay, Subject } from "../fill/protocol.ts";
import { addCacheStatus, type CacheOutcome, type Detail } from "../http/cache-status.ts";
import { glanceError } from "../http/glance-error.ts";
import { callerHeaders } from "../http/headers.ts";
import { spread } from "../lib/retry.ts";
import { notifyDownload } from "../notify/send.ts";
import { forward } from "../origin/forward.ts";
import type { ImageSource } from "../origin/image-body.ts";
import type { ImageTarget } from "../origin/target.ts";
import { gated, openAlone, sendRest } from "./alone.ts";
import { type Asked, openCopy } from "./ask.ts";
import { countHit } from "./count-hit.ts";
import type { ImageHead, Plan } from "./decide.ts";
import { dataInit, imageHeaders } from "./headers.ts";
import { type ByteRange, isOpenedAt } from "./range.ts";
import { GoAlone, Reader } from "./reader.ts";
import { countedBody } from "./sending.ts";

/** What all answers to one download need. */
export interface Call {
  readonly edge: Edge;
  readonly request: Request;
  readonly target: ImageTarget;
}

type PlanOf<Do extends Plan["do"]> = Extract<Plan, { do: Do }>;

/** When a cache in trouble sends everybody to the origin, they go spread over so long, ms. */
const SPREAD_MS = 2_000;
/** After so long a client may try again where ALONE_MAX is reached, seconds. */
const RETRY_AFTER = 10;
/** Glance's word for a range in a store that can't read from the middle (glance_store/capabilities.py). */
const NO_RANDOM_ACCESS = "Getting images randomly from this store is not supported";

const WHY = {
  "left-alone":
    "The image's data at the origin did not match its digest. Parts of it are not given out, whole downloads try again.",
  "only-if-cached": "The image is not in the cache, and the request wants it from there only.",
} as const;

/** The origin's own answer to the original request, with the reason why the cache kept out of it. @throws OriginUnreachable */
export async function answerForward({ edge, request }: Call, detail: Detail): Promise<Response> {
  const response = await forward(request, edge.settings);
  addCacheStatus(response.headers, { kind: "bypass", detail });
  return response;
}

/** 304 or 412 to a conditional request (RFC 9110 sections 15.4.5 and 15.5.13). */
export function answerConditional({ edge }: Call, { status, head, hit }: PlanOf<"conditional">): Response {
  const outcome: CacheOutcome = hit ? { kind: "hit" } : { kind: "miss", stored: false };
  const headers = imageHeaders(head, outcome, edge.requestId);
  for (const name of ["content-type", "content-md5"]) headers.delete(name);
  return new Response(null, { status, headers });
}

/** A refusal of the edge's own. */
export function answerRefusal({ edge, request }: Call, { status, why }: PlanOf<"refuse">): Response {
  const response = glanceError(request, status, WHY[why], { "x-openstack-request-id": edge.requestId });
  addCacheStatus(response.headers, { kind: "miss", stored: false, detail: why });
  return response;
}

/** HEAD of an image that is not kept: as GET would answer. */
export function answerHead({ edge }: Call, { head, range }: PlanOf<"head">): Response {
  const headers = imageHeaders(head, { kind: "miss", stored: false }, edge.requestId);
  return new Response(null, dataInit(headers, head.size, range));
}

/** A hit: the object's own body, so that the runtime sends it without the isolate. */
export async function answerHit(call: Call, plan: PlanOf<"hit">, asked: Asked): Promise<Response> {
  const { edge, request, target } = call;
  const { head, range } = plan;
  const init = () => dataInit(imageHeaders(head, { kind: "hit" }, edge.requestId), head.size, range);
  if (request.method === "HEAD") return new Response(null, init());
  const part = range ?? { from: 0, to: head.size };
  const body = await bodyOf(call, plan, asked, part);
  if (body === null) {
    // It was there a moment ago: evicted, or the store has gone.
    return range === null ? answerAlone(call, head, "store-unavailable") : answerForward(call, "store-unavailable");
  }
  const length = part.to - part.from;
  edge.background(countHit(edge, target.imageId, length));
  if (edge.notifier === null) return new Response(body, init());
  const sending = countedBody(body, length);
  notifyAfter(call, head, length, sending.sent, sending.ended);
  return new Response(sending.readable, init());
}

/** The part's bytes: what was opened, if that is just it; else opened now. */
async function bodyOf(
  { edge, target }: Call,
  { image, head }: PlanOf<"hit">,
  { copy, opening }: Asked,
  part: ByteRange,
): Promise<ReadableStream<Uint8Array> | null> {
  const opened = copy.kind === "there" ? copy.body : null;
  if (opened !== null && isOpenedAt(opening, part, head.size)) return opened;
  await opened?.cancel();
  const again = await openCopy(edge, target, { offset: part.from, length: part.to - part.from });
  if (again.kind !== "there") return null;
  if (again.image.attempt === image.attempt) return again.body;
  await again.body?.cancel();
  return null;
}

/** Through the image's fill. @throws OriginUnreachable */
export async function answerFollow(call: Call, { head, range }: PlanOf<"follow">): Promise<Response> {
  const { edge, request, target } = call;
  const reader = new Reader({
    subject: subjectOf(call, head),
    range,
    errand: () => errandOf(call),
    fill: new FillClient(edge.fills, target.imageId, edge.log),
    slices: edge.slices,
    objects: edge.objects,
    signal: request.signal,
    log: edge.log,
  });
  for (;;) {
    const first = await reader.first();
    if (first.do !== "send" && first.do !== "origin") edge.background(reader.leave());
    switch (first.do) {
      case "send":
        return send(call, head, range, reader);
      case "alone":
        if (range !== null) return answerForward(call, first.why);
        return answerAlone(call, head, first.why);
      case "forward":
        return answerForward(call, "right-refused");
      case "origin": {
        const response = await answerForward(call, "range-not-stored");
        if (!(await lacksRandomAccess(response))) {
          edge.background(reader.leave());
          return response;
        }
        reader.insist();
        break;
      }
      case "failed":
      case "cut":
        return answerFailed(call, first.why, first.do === "failed" ? first.relay : null);
    }
  }
}

function send(call: Call, head: ImageHead, range: ByteRange | null, reader: Reader): Response {
  const { edge, request, target } = call;
  const length = range === null ? head.size : range.to - range.from;
  const { readable, writable } = new FixedLengthStream(length);
  const running = run(call, head, reader, writable).catch(async (cause: unknown) => {
    if (!request.signal.aborted) {
      edge.log.error("download.cut", cause, { image_id: target.imageId, sent: reader.sent });
    }
    await writable.abort(cause).catch(() => undefined);
  });
  edge.background(running);
  notifyAfter(call, head, length, () => reader.sent, running);
  const outcome: CacheOutcome = reader.began ? { kind: "miss", stored: true } : { kind: "collapsed" };
  const headers = imageHeaders(head, outcome, edge.requestId);
  return new Response(readable, dataInit(headers, head.size, range));
}

async function run(call: Call, head: ImageHead, reader: Reader, writable: WritableStream<Uint8Array>): Promise<void> {
  try {
    await reader.run(writable);
  } catch (cause) {
    if (!(cause instanceof GoAlone)) throw cause;
    const place = call.edge.alone.take(call.edge.settings.aloneMax);
    if (place === null) throw cause;
    try {
      await sendRest(sourceOf(call, head), head, await reader.digestSent(), writable);
    } finally {
      place();
    }
  }
}

/** What the origin said to the fill, or that it said nothing of use. */
function answerFailed({ edge, request }: Call, why: FillProblem, relay: Relay | null): Response {
  const outcome: CacheOutcome = { kind: "miss", stored: false, detail: why };
  const id = { "x-openstack-request-id": edge.requestId };
  const response =
    relay === null
      ? glanceError(request, 502, FAILED[why] ?? "The image service behind this edge did not give the image.", id)
      : new Response(NO_BODY.has(relay.status) ? null : relay.body, {
          status: relay.status,
          statusText: relay.statusText,
          headers: relay.headers.map(([name, value]): [string, string] => [name, value]),
        });
  addCacheStatus(response.headers, outcome);
  return response;
}

const FAILED: Partial<Record<FillProblem, string>> = {
  "digest-mismatch": "The image's data at the origin does not match its digest.",
};
/** Statuses of answers without a body (RFC 9110 section 6.4.1). */
const NO_BODY = new Set([204, 205, 304]);

/** A whole image from the origin through a gate of its own. @throws OriginUnreachable */
export async function answerAlone(call: Call, head: ImageHead, why: Detail): Promise<Response> {
  const { edge, request, target } = call;
  const outcome: CacheOutcome = { kind: "miss", stored: false, detail: why };
  const place = edge.alone.take(edge.settings.aloneMax);
  if (place === null) {
    const headers = { "x-openstack-request-id": edge.requestId, "retry-after": String(RETRY_AFTER) };
    const response = glanceError(
      request,
      503,
      "The cache can't help now, and the origin's link is full. Try again later.",
      headers,
    );
    addCacheStatus(response.headers, outcome);
    return response;
  }
  try {
    if (IN_TROUBLE.has(why)) await scheduler.wait(spread(SPREAD_MS) - SPREAD_MS);
    const opened = await openAlone(sourceOf(call, head));
    if (opened.kind === "refused") {
      place();
      const response = await forward(request, edge.settings);
      addCacheStatus(response.headers, outcome);
      return response;
    }
    const { readable, passed } = gated(opened.body, head);
    const ended = passed
      .catch((cause: unknown) => {
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

/** Why many go to the origin at once, which they would not without an edge in front. */
const IN_TROUBLE = new Set<Detail>(["fill-unavailable", "store-unavailable"]);

/** Whether the origin can't read from the middle; its answer is left unread otherwise. */
async function lacksRandomAccess(response: Response): Promise<boolean> {
  if (response.status !== 400) return false;
  return (await response.clone().text()).includes(NO_RANDOM_ACCESS);
}

/** Tells of a download when it has ended. @param ended never rejects */
function notifyAfter(
  { edge, request, target }: Call,
  { record }: ImageHead,
  expected: number,
  sent: () => number,
  ended: Promise<unknown>,
): void {
  const { notifier } = edge;
  if (notifier === null) return;
  const told = ended.then(() =>
    notifyDownload(
      {
        imageId: target.imageId,
        ownerId: record.owner,
        bytesSent: sent(),
        expected,
        // Cloudflare's word for who connected; what a client says of itself is stripped or worth nothing.
        destinationIp: request.headers.get("cf-connecting-ip"),
        token: request.headers.get("x-auth-token"),
      },
      notifier,
    ),
  );
  edge.background(told);
}

function subjectOf({ target }: Call, { record, digest, size }: ImageHead): Subject {
  return { imageId: target.imageId, size, digest, checksum: record.checksum };
}

function errandOf({ request, target }: Call): Errand {
  return { target, headers: [...callerHeaders(request.headers)], query: new URL(request.url).search };
}

function sourceOf({ edge, request, target }: Call, { size }: ImageHead): ImageSource {
  const { origin, stallMs } = edge.settings;
  return { target, caller: request.headers, query: new URL(request.url).search, origin, size, stallMs };
}
