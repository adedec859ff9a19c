/**
 * What the edge answers itself; everything else is forwarded untouched. itty-router's `Router` and not its AutoRouter:
 * that one would put its own 404 and JSON in the way of the origin's answers.
 */
import { type IRequest, Router } from "itty-router";
import type { Edge } from "./context.ts";
import { download } from "./download/download.ts";
import { FillClient } from "./fill/client.ts";
import { pathForOrigin, pathOnly } from "./glance/base-url.ts";
import { changeOf } from "./glance/changes.ts";
import { methodNotAllowed } from "./glance/errors.ts";
import { forward } from "./glance/forward.ts";
import { originErrorOf } from "./glance/origin-error.ts";
import { downloadTarget } from "./glance/target.ts";
import { manage } from "./manage/manage.ts";
import { refuseMetrics } from "./manage/metrics-access.ts";
import { dequeue } from "./manage/queueing.ts";
import { health } from "./observe/health.ts";
import { metrics } from "./observe/metrics.ts";
import { ready } from "./observe/ready.ts";
import { page } from "./page/page.ts";

const router = Router<IRequest & Request, [Edge]>()
  // A pattern tells which requests a handler is for; whether the path is exactly one of Glance's (no trailing slash, a
  // canonical id) the handler decides, and leaves what is not to the next route. `*`: the path of PUBLIC_URL.
  .get("*/v2/images/:id/file", answerDownload)
  // Glance says 405; clients that look before they fetch (qemu-img, Ironic) get what GET would say.
  .head("*/v2/images/:id/file", answerDownload)
  .get("*/v1/images/:id", answerDownload)
  .all("*/v2/cache/*", answerManagement)
  .all("*/v2/cached_images/*", answerManagement)
  .all("*/v2/queued_images/*", answerManagement)
  .all("*/edge/*", answerObserver)
  .all("*/edge", answerPage)
  .all("*/edge/*", answerPage)
  .all("*", forwardOther);

/** Answers a request. @throws OriginUnreachable, BadOriginAnswer */
export async function route(request: Request, edge: Edge): Promise<Response> {
  return router.fetch(request, edge);
}

async function answerDownload(request: Request, edge: Edge): Promise<Response | undefined> {
  const target = downloadTarget(pathForOrigin(request, edge.settings.publicUrl));
  return target === null ? undefined : download(edge, request, target);
}

async function answerManagement(request: Request, edge: Edge): Promise<Response | undefined> {
  return manage(edge, request, originPath(request, edge));
}

/** What those who watch the edge ask. */
async function answerObserver(request: Request, edge: Edge): Promise<Response | undefined> {
  const observer = OBSERVERS[originPath(request, edge)];
  if (observer === undefined) return undefined;
  if (request.method !== "GET" && request.method !== "HEAD") return methodNotAllowed(request, "GET, HEAD");
  const response = await observer(edge, request);
  return request.method === "HEAD" ? new Response(null, response) : response;
}

const OBSERVERS: Readonly<Record<string, (edge: Edge, request: Request) => Promise<Response>>> = {
  "/edge/metrics": async (edge, request) => (await refuseMetrics(edge, request)) ?? metrics(edge),
  "/edge/health": (edge) => health(edge),
  "/edge/ready": (edge) => ready(edge),
};

async function answerPage(request: Request, edge: Edge): Promise<Response | undefined> {
  return page(edge, request);
}

async function forwardOther(request: Request, edge: Edge): Promise<Response> {
  const { images, deleted } = changeOf(request.method, originPath(request, edge));
  // At once, and not only behind the answer: a client that hangs up ends this invocation, and the origin may go on.
  const before = edge.permissions.forget(images);
  let response: Response;
  try {
    response = await forward(request, edge.settings);
  } catch (cause) {
    edge.permissions.forget(images);
    const error = originErrorOf(cause);
    if (error !== null && !request.signal.aborted) edge.meter.add("origin_errors", error);
    throw cause;
  }
  // A 4xx says that nothing was done. Behind any other answer, or none, it may have been, whoever answered in Glance's place:
  // that is enough to ask again. To evict takes a yes.
  if (response.status >= 400 && response.status < 500) edge.permissions.putBack(before);
  else edge.permissions.forget(images);
  if (deleted !== null && response.ok) await removeDeleted(edge, deleted);
  return response;
}

async function removeDeleted(edge: Edge, imageId: string): Promise<void> {
  // Before the answer: whoever was told that the image is gone must not find it in the cache.
  edge.log.info("image.evicted", { image_id: imageId, why: "deleted" });
  await new FillClient(edge.fills, imageId, edge.log).remove("always");
  // Behind the answer: in the queue it would only find out for itself that it has gone.
  const dequeued = dequeue(edge, imageId);
  edge.background(dequeued.catch((cause: unknown) => edge.log.error("queue.not-removed", cause)));
}

function originPath(request: Request, edge: Edge): string {
  return pathOnly(pathForOrigin(request, edge.settings.publicUrl));
}
