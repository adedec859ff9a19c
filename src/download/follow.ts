/**
 * The answer to a reader of a fill: what is stored of the image, as it is stored. Where the fill can't serve it, it is the
 * origin's, or a lone download.
 */
import { FillClient } from "../fill/client.ts";
import type { Rights, Subject } from "../fill/protocol.ts";
import { NO_RANDOM_ACCESS, readRefusal } from "../glance/ask-right.ts";
import type { CacheOutcome } from "../http/cache-status.ts";
import { lentHeaders } from "../http/headers.ts";
import { isSelected } from "../lib/selection.ts";
import { answerForward } from "./bypass.ts";
import type { Call } from "./call.ts";
import type { ImageHead, PlanOf } from "./decide.ts";
import { dataInit, imageHeaders } from "./headers.ts";
import { answerAlone, sendRestAlone } from "./lone.ts";
import { notifyAfter } from "./notify-after.ts";
import type { ByteRange } from "./range.ts";
import { GoAlone, Reader } from "./reader.ts";
import { answerFailed } from "./refusal.ts";
import { sendBehind } from "./send-behind.ts";

/** Through the image's fill. @throws OriginUnreachable, BadOriginAnswer */
export async function answerFollow(call: Call, { head, range }: PlanOf<"follow">): Promise<Response> {
  const { edge, request, target } = call;
  const reader = new Reader({
    subject: subjectOf(call, head),
    range,
    rights: () => rightsOf(call),
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
        return answerAlone(call, head, range, first.why);
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
  const { readable, ended } = sendBehind(call, length, sent, (writable) => run(call, head, reader, writable));
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
    if (!(await sendRestAlone(call, head, reader, writable))) throw cause;
  }
}

/** Whether the origin can't read from the middle; its answer is left unread otherwise. */
async function lacksRandomAccess(response: Response): Promise<boolean> {
  if (response.status !== 400) return false;
  // Whatever it is, the client gets it: what does not come, or breaks, is not Glance's refusal.
  return (await readRefusal(response.clone()).catch(() => "")).includes(NO_RANDOM_ACCESS);
}

function subjectOf({ edge, target }: Call, { record, digest, size }: ImageHead): Subject {
  const { checksum, name, owner, traits } = record;
  const pinned = isSelected(traits, edge.settings.pinImages);
  return { imageId: target.imageId, size, digest, checksum, name, owner, pinned };
}

function rightsOf({ request, target }: Call): Rights {
  return { target, headers: lentHeaders(request.headers) };
}
