/** The operations of the cache's management, for a caller who may. Answers are those of glance/api/v2/cached_images.py. */
import { type Edge, roomTools } from "../context.ts";
import { FillClient } from "../fill/client.ts";
import { glanceError } from "../glance/errors.ts";
import { downloadTarget } from "../glance/target.ts";
import { clean } from "../upkeep/clean.ts";
import { prune } from "../upkeep/prune.ts";
import { clearCache, clearQueue } from "./clear.ts";
import { listFills } from "./list-fills.ts";
import type { LegacyVerb, Operation } from "./operations.ts";
import { readPage } from "./page.ts";
import { dequeue, enqueue } from "./queueing.ts";

/** How long a clean or a prune that somebody waits for may take; it goes on by cron. */
const WAIT_MS = 20_000;

/** @param target of a clear: "cache", "queue" or "" for both */
export async function perform(edge: Edge, request: Request, operation: Operation, target: string): Promise<Response> {
  switch (operation.do) {
    case "list":
      return json(edge, {
        cached_images: await cachedImages(edge),
        queued_images: await edge.queue.ids(edge.now()),
      });
    case "list-fills":
      return fillsPage(edge, request);
    case "queue":
      return (await enqueue(edge, request, operation.imageId)) ? empty(edge, 202) : stays(edge, request);
    case "delete":
      // The queue first: what is fetched for it is nobody's wish any more.
      if (!(await dequeue(edge, operation.imageId))) return goesOn(edge, request);
      return (await uncache(edge, operation.imageId)) ? empty(edge, 204) : stays(edge, request);
    case "clear":
      if (target !== "queue") await clearCache(edge);
      if (target !== "cache" && (await clearQueue(edge)).untold.length > 0) return goesOn(edge, request);
      return empty(edge, 204);
    case "clean":
      await clean(edge, edge.now() + WAIT_MS);
      return empty(edge, 200);
    case "prune": {
      const { files, bytes } = await prune(roomTools(edge), edge.settings, edge.now() + WAIT_MS);
      return json(edge, { total_files_pruned: files, total_bytes_pruned: bytes });
    }
    case "nodes":
      return json(edge, edge.url !== null && (await edge.catalog.has(operation.imageId)) ? [edge.url] : []);
    case "legacy-cached":
      return legacyCached(edge, request, operation.verb);
    case "legacy-queued":
      return legacyQueued(edge, request, operation.verb);
  }
}

type LegacyQueued = Extract<Operation, { do: "legacy-queued" }>["verb"];

async function legacyCached(edge: Edge, request: Request, verb: LegacyVerb): Promise<Response> {
  switch (verb.do) {
    case "list":
      return json(edge, { cached_images: await cachedImages(edge) });
    case "delete-all":
      return json(edge, { num_deleted: await clearCache(edge) });
    case "delete":
      return (await uncache(edge, verb.imageId)) ? json(edge, null) : stays(edge, request);
  }
}

async function legacyQueued(edge: Edge, request: Request, verb: LegacyQueued): Promise<Response> {
  switch (verb.do) {
    case "list":
      return json(edge, { queued_images: await edge.queue.ids(edge.now()) });
    case "delete-all": {
      const { images, untold } = await clearQueue(edge);
      return untold.length > 0 ? goesOn(edge, request) : json(edge, { num_deleted: images });
    }
    case "delete":
      return (await dequeue(edge, verb.imageId)) ? json(edge, null) : goesOn(edge, request);
    case "add":
      // Glance looks at the id only when its turn comes. What is no id of an image would never have one.
      if (downloadTarget(`/v2/images/${verb.imageId}/file`) === null) return json(edge, null);
      return (await enqueue(edge, request, verb.imageId)) ? json(edge, null) : stays(edge, request);
  }
}

async function fillsPage(edge: Edge, request: Request): Promise<Response> {
  const query = new URL(request.url).searchParams;
  const page = readPage(query);
  if ("wrong" in page) return glanceError(request, 400, page.wrong, common(edge));
  const listed = await listFills(edge, page);
  if (listed === null) return glanceError(request, 400, "The marker is not in the list.", common(edge));
  const { fills, next } = listed;
  if (next === null) return json(edge, { fills });
  query.set("marker", next);
  // Without scheme and host, as in Glance's own lists.
  return json(edge, { fills, next: `/v2/cache/fills?${query}` });
}

/** Told to stop, a Fill did not answer: its image is in the queue still, so that a request that comes again finds it. */
function goesOn(edge: Edge, request: Request): Response {
  return glanceError(request, 503, "Not all that is being fetched could be ended. Try again later.", common(edge));
}

/** Its Fill, or R2, did not answer. */
function stays(edge: Edge, request: Request): Response {
  return glanceError(request, 503, "The image could not be removed from the cache. Try again later.", common(edge));
}

/** @returns whether its Fill has seen to it */
async function uncache({ fills, log }: Edge, imageId: string): Promise<boolean> {
  const removed = await new FillClient(fills, imageId, log).remove("unless-read");
  if (removed === "removed") log.info("image.evicted", { image_id: imageId, why: "an operator removed it" });
  return removed !== null;
}

/** Glance gives times as seconds, and glanceclient formats them as such. */
async function cachedImages({ catalog }: Edge): Promise<unknown[]> {
  return (await catalog.list()).map(({ imageId, hits, lastAccessed, committedAt, size }) => ({
    image_id: imageId,
    hits,
    last_accessed: lastAccessed / 1000,
    last_modified: committedAt / 1000,
    size,
  }));
}

function json(edge: Edge, value: unknown): Response {
  const headers = { "content-type": "application/json", ...common(edge) };
  return new Response(JSON.stringify(value), { headers });
}

/** Glance's form of a success without a body. */
function empty(edge: Edge, status: 200 | 202 | 204): Response {
  const headers = { "content-type": "text/html; charset=UTF-8", "content-length": "0", ...common(edge) };
  return new Response(null, { status, headers });
}

function common(edge: Edge): Record<string, string> {
  // What is stored is for managers only, and changes by the minute.
  return { "cache-control": "no-store", "x-openstack-request-id": edge.requestId };
}
