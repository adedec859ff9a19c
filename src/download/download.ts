/**
 * A download in three moves: ask the origin and R2, all at once; decide, purely; answer. Numbered, since their order is what
 * keeps cached bytes from those who may not have them.
 */
import type { Edge } from "../context.ts";
import { FillClient } from "../fill/client.ts";
import { isGlance } from "../glance/ask-record.ts";
import type { ImageTarget } from "../glance/target.ts";
import { answer } from "./answer.ts";
import { askAll } from "./ask.ts";
import type { Call } from "./call.ts";
import { decide } from "./decide.ts";
import { Watch } from "./watch.ts";

/** Answers GET and HEAD of an image's data. @throws OriginUnreachable, BadOriginAnswer */
export async function download(edge: Edge, request: Request, target: ImageTarget): Promise<Response> {
  const watch = new Watch(edge, request, target);
  try {
    return watch.answered(await answerDownload({ edge, request, target, watch }));
  } catch (cause) {
    watch.failed(cause);
    throw cause;
  }
}

async function answerDownload(call: Call): Promise<Response> {
  const { edge, request, target, watch } = call;
  // 1. Ask: the record and the right as the caller, and the copy.
  const asked = await askAll(edge, request, target);
  watch.asked(asked);
  const { permission, copy } = asked;
  if (permission.kind === "refused" && permission.gone) forget(edge, request, target);

  // 2. Decide.
  if (copy.kind === "there") edge.alone.agreed(target.imageId, edge.now());
  const { imageMaxBytes, cacheMaxBytes, ownerMaxBytes, cacheImages } = edge.settings;
  const plan = decide({
    method: request.method,
    headers: request.headers,
    api: target.api,
    permission,
    copy: copy.kind === "there" ? copy.image : copy.kind === "none" ? null : "unavailable",
    imageMaxBytes,
    cacheMaxBytes,
    ownerMaxBytes,
    cacheImages,
    rangesFrom: edge.alone.rangesFrom(target.imageId),
    now: edge.now(),
  });

  // 3. Answer. What was opened and is not sent would hold a connection to the store.
  if (plan.do !== "hit" && copy.kind === "there") await copy.body?.cancel();
  return answer(call, plan, asked);
}

/** The image seems to have been deleted without passing this edge. */
function forget(edge: Edge, request: Request, { imageId }: ImageTarget): void {
  edge.permissions.forget([imageId]);
  edge.background(evict(edge, request.headers, imageId));
}

/** Never rejects. Others may be reading its fill, and a 404 may be some proxy's. */
async function evict({ settings, fills, log }: Edge, caller: Headers, imageId: string): Promise<void> {
  try {
    if (!(await isGlance(caller, settings))) return;
    log.info("image.evicted", { image_id: imageId, why: "its record is gone" });
    await new FillClient(fills, imageId, log).remove("unless-read");
  } catch (cause) {
    log.error("origin.record-failed", cause, { image_id: imageId });
  }
}
