/** The operations of the cache's management, for a caller who may. Answers are Glance's (facts: glance/api/v2/cached_images.py). */
import { evict } from "../download/evict.ts";
import type { Edge } from "../edge.ts";
import { FillClient } from "../fill/client.ts";
import { callerHeaders } from "../http/headers.ts";
import type { ListedImage } from "../store/catalog.ts";
import { advanceQueue } from "../upkeep/advance-queue.ts";
import { clean } from "../upkeep/clean.ts";
import { prune } from "../upkeep/prune.ts";
import { clearCache, clearQueue } from "./clear.ts";
import { listFills } from "./list-fills.ts";
import type { LegacyVerb, Operation } from "./operations.ts";

/** How long a clean that somebody waits for may take; it goes on by cron. */
const CLEAN_MS = 20_000;

/** @param target of a clear: "cache", "queue" or "" for both */
export async function perform(edge: Edge, request: Request, operation: Operation, target: string): Promise<Response> {
  switch (operation.do) {
    case "list":
      return json(edge, {
        cached_images: (await edge.catalog.list()).map(describe),
        queued_images: (await edge.queue.list()).map(({ imageId }) => imageId),
      });
    case "list-fills":
      return json(edge, { fills: await listFills(edge) });
    case "queue":
      await enqueue(edge, request, operation.imageId);
      return empty(edge, 202);
    case "delete":
      await remove(edge, operation.imageId);
      return empty(edge, 204);
    case "clear":
      if (target !== "queue") await clearCache(edge);
      if (target !== "cache") await clearQueue(edge);
      return empty(edge, 204);
    case "clean":
      await clean(edge, edge.now() + CLEAN_MS);
      return empty(edge, 200);
    case "prune": {
      const { files, bytes } = await prune(edge, edge.settings.cacheMaxBytes, edge.now());
      return json(edge, { total_files_pruned: files, total_bytes_pruned: bytes });
    }
    case "nodes": {
      const stored = await edge.catalog.find(operation.imageId);
      return json(edge, stored === null || edge.url === null ? [] : [edge.url]);
    }
    case "legacy":
      return operation.what === "cached"
        ? legacyCached(edge, operation.verb)
        : legacyQueued(edge, request, operation.verb);
  }
}

async function legacyCached(edge: Edge, verb: LegacyVerb): Promise<Response> {
  switch (verb.do) {
    case "list":
      return json(edge, { cached_images: (await edge.catalog.list()).map(describe) });
    case "delete-all":
      return json(edge, { num_deleted: await clearCache(edge) });
    case "delete":
    case "add":
      await evict(edge, verb.imageId, "an operator removed it", "unless-in-use");
      return json(edge, null);
  }
}

async function legacyQueued(edge: Edge, request: Request, verb: LegacyVerb): Promise<Response> {
  switch (verb.do) {
    case "list":
      return json(edge, { queued_images: (await edge.queue.list()).map(({ imageId }) => imageId) });
    case "delete-all":
      return json(edge, { num_deleted: await clearQueue(edge) });
    case "delete":
      await edge.queue.remove(verb.imageId);
      return json(edge, null);
    case "add":
      await enqueue(edge, request, verb.imageId);
      return json(edge, null);
  }
}

/** Queues an image and starts it if it's its turn, under the rights of who queued it where the edge has none itself. */
async function enqueue(edge: Edge, request: Request, imageId: string): Promise<void> {
  await edge.queue.add(imageId, edge.now());
  // It is stored already: its turn will not come, and nobody's rights are needed.
  if (!(await edge.queue.has(imageId))) return;
  await new FillClient(edge.fills, imageId, edge.log).lend({
    target: { api: "v2", imageId },
    headers: [...callerHeaders(request.headers)],
  });
  queueMoved(edge);
}

async function remove(edge: Edge, imageId: string): Promise<void> {
  // The queue first: what is fetched for it is nobody's wish any more.
  await edge.queue.remove(imageId);
  await evict(edge, imageId, "an operator removed it", "unless-in-use");
  queueMoved(edge);
}

/** Another image may have its turn now. */
function queueMoved(edge: Edge): void {
  const { queue, fills, settings, log, now } = edge;
  const advancing = advanceQueue({ queue, fills, concurrency: settings.prefetchConcurrency, log }, now());
  edge.background(advancing.catch((cause: unknown) => log.error("queue.stuck", cause)));
}

/** Glance gives times as seconds, and glanceclient formats them as such. */
function describe({ imageId, hits, lastAccessed, committedAt, size }: ListedImage): unknown {
  return {
    image_id: imageId,
    hits,
    last_accessed: lastAccessed / 1000,
    last_modified: committedAt / 1000,
    size,
  };
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
