/** A plan becomes an answer: one function for each. */

import { FillClient } from "../fill/client.ts";
import type { Errand, Subject } from "../fill/protocol.ts";
import { NO_RANDOM_ACCESS } from "../glance/ask-right.ts";
import { forward } from "../glance/forward.ts";
import type { ImageSource } from "../glance/image-body.ts";
import { addCacheStatus, type CacheOutcome, type Detail } from "../http/cache-status.ts";
import { callerHeaders, lentHeaders } from "../http/headers.ts";
import { notifyDownload } from "../notify/send.ts";
import { gated, isMismatch, openAlone, sendRest } from "./alone.ts";
import { type Asked, HOUR_MS, openCopy } from "./ask.ts";
import type { Call } from "./call.ts";
import { countHit } from "./count-hit.ts";
import { type ImageHead, type Plan, wantsOnlyCached } from "./decide.ts";
import { dataInit, imageHeaders } from "./headers.ts";
import { InParts } from "./in-parts.ts";
import { type ByteRange, isOpenedAt } from "./range.ts";
import { GoAlone, Reader } from "./reader.ts";
import { answerFailed, ownError, refuse } from "./refusal.ts";
import { countedBody } from "./sending.ts";

type PlanOf<Do extends Plan["do"]> = Extract<Plan, { do: Do }>;

/** When a cache in trouble sends everybody to the origin, they go spread over so long, ms. */
const SPREAD_MS = 2_000;
/** After so long a client may try again where ALONE_MAX is reached, seconds. */
const RETRY_AFTER = 10;

/**
 * The origin's own answer to the original request, with the reason why the cache kept out of it. Where only a kept copy is
 * wanted its refusals still are, but not its data.
 * @throws OriginUnreachable, BadOriginAnswer
 */
export async function answerForward(call: Call, detail: Detail): Promise<Response> {
  const { edge, request } = call;
  const response = await forward(request, edge.settings);
  const data = request.method === "GET" && (response.status === 200 || response.status === 206);
  if (data && wantsOnlyCached(request.headers)) {
    await response.body?.cancel();
    return refuse(call, response.headers, "only-if-cached");
  }
  // The question was refused and the download is not: typically a filter before the origin does not like that range.
  if (data && detail === "right-refused" && edge.seldom.isDue("origin.right-contradicted", HOUR_MS, edge.now())) {
    edge.log.info("origin.right-contradicted", { image_id: call.target.imageId });
  }
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
export function answerRefusal(call: Call, { head, why }: PlanOf<"refuse">): Response {
  return refuse(call, head.found.headers, why);
}

/** HEAD of an image that is not kept: as GET would answer. */
export function answerHead({ edge }: Call, { head }: PlanOf<"head">): Response {
  const headers = imageHeaders(head, { kind: "miss", stored: false }, edge.requestId);
  return new Response(null, dataInit(headers, head.size, null));
}

/** A hit: the object's own body, so that the runtime sends it without the isolate. */
export async function answerHit(call: Call, plan: PlanOf<"hit">, asked: Asked): Promise<Response> {
  const { edge, request, target } = call;
  const { head, range } = plan;
  const init = () => dataInit(imageHeaders(head, { kind: "hit" }, edge.requestId), head.size, range);
  if (request.method === "HEAD") return new Response(null, init());
  const part = range ?? { from: 0, to: head.size };
  const body =
    plan.image.kind === "image" ? await bodyOf(call, plan, asked, part) : await partsOf(call, plan, asked, part);
  if (body === null) {
    // It was there a moment ago: evicted, or the store has gone.
    if (wantsOnlyCached(request.headers)) return refuse(call, head.found.headers, "only-if-cached");
    return answerFollow(call, { do: "follow", head, range });
  }
  const length = part.to - part.from;
  edge.background(countHit(edge, target.imageId, length));
  if (body instanceof InParts) return sendParts(call, body, head, length, init());
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

/** The part of an image that is kept in parts. @returns null when its first bytes can't be had */
async function partsOf(
  { edge, target }: Call,
  { image }: PlanOf<"hit">,
  { copy }: Asked,
  part: ByteRange,
): Promise<InParts | null> {
  if (copy.kind !== "there" || copy.body === null) return null;
  try {
    const plan = await edge.objects.readPlan({ image, body: copy.body });
    if (plan === null) return null;
    const parts = new InParts(edge.parts, image, plan, part);
    return (await parts.isThere()) ? parts : null;
  } catch (cause) {
    edge.log.error("store.unavailable", cause, { image_id: target.imageId });
    return null;
  }
}

function sendParts(call: Call, parts: InParts, head: ImageHead, length: number, init: ResponseInit): Response {
  let sent = 0;
  const { readable, ended } = sendInto(
    call,
    length,
    () => sent,
    async (writable) => {
      await parts.send(writable, (bytes) => {
        sent += bytes;
      });
      await writable.close();
    },
  );
  notifyAfter(call, head, length, () => sent, ended);
  return new Response(readable, init);
}

/** A body of fixed length that is written behind the answer; what breaks is logged, and the client cut. */
function sendInto(
  { edge, request, target }: Call,
  length: number,
  sent: () => number,
  write: (writable: WritableStream<Uint8Array>) => Promise<void>,
): { readonly readable: ReadableStream<Uint8Array>; readonly ended: Promise<void> } {
  const { readable, writable } = new FixedLengthStream(length);
  const ended = write(writable).catch(async (cause: unknown) => {
    if (!request.signal.aborted) edge.log.error("download.cut", cause, { image_id: target.imageId, sent: sent() });
    await writable.abort(cause).catch(() => undefined);
  });
  edge.background(ended);
  return { readable, ended };
}

/** Through the image's fill. @throws OriginUnreachable, BadOriginAnswer */
export async function answerFollow(call: Call, { head, range }: PlanOf<"follow">): Promise<Response> {
  const { edge, request, target } = call;
  const reader = new Reader({
    subject: subjectOf(call, head),
    range,
    errand: () => errandOf(call),
    fill: new FillClient(edge.fills, target.imageId, edge.log),
    slices: edge.slices,
    objects: edge.objects,
    parts: edge.parts,
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
        await response.body?.cancel();
        reader.insist();
        break;
      }
      case "failed":
      case "cut":
        return answerFailed(call, head, first.why, first.do === "failed" ? first.relay : null);
    }
  }
}

function send(call: Call, head: ImageHead, range: ByteRange | null, reader: Reader): Response {
  const length = range === null ? head.size : range.to - range.from;
  const sent = () => reader.sent;
  const { readable, ended } = sendInto(call, length, sent, (writable) => run(call, head, reader, writable));
  notifyAfter(call, head, length, sent, ended);
  const outcome: CacheOutcome = reader.began ? { kind: "miss", stored: true } : { kind: "collapsed" };
  const headers = imageHeaders(head, outcome, call.edge.requestId);
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
    } catch (broken) {
      if (isMismatch(broken)) call.edge.alone.mismatched(call.target.imageId, call.edge.now());
      throw broken;
    } finally {
      place();
    }
  }
}

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
        if (isMismatch(cause)) edge.alone.mismatched(target.imageId, edge.now());
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
        token: callerHeaders(request.headers).get("x-auth-token"),
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
  return { target, headers: lentHeaders(request.headers) };
}

function sourceOf({ edge, request, target }: Call, { size }: ImageHead): ImageSource {
  return { target, caller: request.headers, at: edge.settings, size, stallMs: edge.settings.stallMs };
}
