/** The answer from a kept image. What was kept a moment ago may be gone: its fill is asked then. */

import { FillClient } from "../fill/client.ts";
import { type Asked, openCopy } from "./ask.ts";
import type { Call } from "./call.ts";
import { countHit } from "./count-hit.ts";
import { type PlanOf, wantsOnlyCached } from "./decide.ts";
import { answerFollow } from "./follow.ts";
import { dataInit, imageHeaders } from "./headers.ts";
import { InParts, PartMissing } from "./in-parts.ts";
import { notifyAfter } from "./notify-after.ts";
import { type ByteRange, isOpenedAt } from "./range.ts";
import { refuse } from "./refusal.ts";
import { sendBehind } from "./send-behind.ts";
import { countedBody } from "./sending.ts";

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
  countHit(edge, target.imageId, length);
  if (body instanceof InParts) return sendParts(call, body, plan, length, init());
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
    return await InParts.open(edge, { image, body: copy.body }, part);
  } catch (cause) {
    edge.log.error("store.unavailable", cause, { image_id: target.imageId });
    return null;
  }
}

function sendParts(
  call: Call,
  parts: InParts,
  { head, image }: PlanOf<"hit">,
  length: number,
  init: ResponseInit,
): Response {
  const { edge, target } = call;
  let sent = 0;
  const { readable, ended } = sendBehind(
    call,
    length,
    () => sent,
    async (writable) => {
      try {
        await parts.send(writable, (bytes) => {
          sent += bytes;
        });
      } catch (cause) {
        // This client is cut; the next one is to get the image.
        if (cause instanceof PartMissing) {
          edge.background(new FillClient(edge.fills, target.imageId, edge.log).missed(image.attempt));
        }
        throw cause;
      }
      await writable.close();
    },
  );
  notifyAfter(call, head, length, () => sent, ended);
  return new Response(readable, init);
}
