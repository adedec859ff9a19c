/**
 * A download, step by step: what is asked for, whether the origin allows it, and where the bytes come from. Whatever is
 * not a clear case for the cache is forwarded, so that every refusal is the origin's own answer (invariant 1).
 */

import { withDeadline } from "../deadline.ts";
import type { Edge } from "../edge.ts";
import { FillClient } from "../fill/client.ts";
import type { Subject } from "../fill/protocol.ts";
import { addCacheStatus, type CacheOutcome, type Detail } from "../http/cache-status.ts";
import { callerHeaders } from "../http/headers.ts";
import { notifyDownload } from "../notify/send.ts";
import { forward } from "../origin/forward.ts";
import { ImageBody, ImageBodyError, type ImageSource } from "../origin/image-body.ts";
import { permissionKey } from "../origin/permissions.ts";
import type { ImageTarget } from "../origin/target.ts";
import { blobName, type Digest, strongestDigest } from "../store/blob.ts";
import type { StoredImage } from "../store/catalog.ts";
import { partsOf } from "../store/slice-plan.ts";
import { conditionalAnswer, contentRange, dataAnswer, entityTag, type ImageHead, imageHeaders } from "./answer.ts";
import { ClientBody } from "./client-body.ts";
import { openPart, type StoredReader, sendStored } from "./committed.ts";
import { countHit, keepInUse } from "./count-use.ts";
import { evict } from "./evict.ts";
import { askPermission } from "./permission.ts";
import { evaluatePreconditions, rangeApplies } from "./preconditions.ts";
import { type ByteRange, requestedRange } from "./range.ts";
import { SharedDownload } from "./shared.ts";

/** D1 answers within some 10 ms, from far within some 100; one that takes this long is as good as gone. */
const CATALOG_MS = 3_000;

/** Everything about one download that is known once the origin has allowed it. */
interface Allowed {
  readonly edge: Edge;
  readonly request: Request;
  readonly target: ImageTarget;
  readonly head: ImageHead;
  /** Bytes of the whole image. */
  readonly size: number;
}

/**
 * Answers a download.
 * @throws OriginUnreachable
 */
export async function download(edge: Edge, request: Request, target: ImageTarget): Promise<Response> {
  const { settings } = edge;
  // 1. The caller's record, the caller's right and the catalog, at once: one round trip to the origin in all.
  const key = await permissionKey(request.headers, target);
  const [permission, stored] = await Promise.all([askPermission(edge, request, target, key), findStored(edge, target)]);

  // 2. No clear yes: the origin answers itself.
  if (permission.kind === "refused") {
    if (permission.gone && stored !== null && stored !== "unavailable" && edge.permissions.wasAllowed(key)) {
      // The same caller was allowed before, so this is no hidden image but a deleted one.
      edge.permissions.forget([target.imageId]);
      edge.background(evict(edge, target.imageId, "its record is gone"));
    }
    return bypass(edge, request, permission.detail);
  }
  const { record, v1Headers } = permission.answer;

  // 3. What can't or must not come from the cache, whoever asks.
  if (record.status === "deactivated") return bypass(edge, request, "deactivated");
  if (record.status !== "active") return bypass(edge, request, "not-active");
  const digest = strongestDigest(record);
  if (digest === null) return bypass(edge, request, "no-digest");
  const copy = stored === null || stored === "unavailable" ? null : matching(stored, target, digest);
  if (copy === null && stored !== null && stored !== "unavailable") {
    await evict(edge, target.imageId, "its record has another digest now");
  }
  // A record without a size leaves the stored copy's (compare Glance's LP#900959).
  const size = record.size ?? copy?.size ?? null;
  if (size === null) return bypass(edge, request, "size-unknown");
  // The record has told of all that is no matter of rights; from here on the right is what counts.
  if (!permission.right) return bypass(edge, request, "right-refused");
  const allowed: Allowed = {
    edge,
    request,
    target,
    head: { record, v1Headers, digest, requestId: edge.requestId },
    size,
  };

  // 4. Conditions, then the range: RFC 9110 section 13.2.2.
  const etag = entityTag(allowed.head);
  const outcome: CacheOutcome = copy === null ? { kind: "miss", stored: false } : { kind: "hit" };
  const verdict = evaluatePreconditions(request.headers, etag);
  if (verdict === "not-modified") return conditionalAnswer(allowed.head, outcome, 304);
  if (verdict === "failed") return conditionalAnswer(allowed.head, outcome, 412);
  const range = rangeApplies(request.headers, etag) ? requestedRange(request.headers, size) : WHOLE;
  if (range.kind === "refused") return bypass(edge, request, "range-refused");

  // 5. From the store, or else on the way into it.
  if (copy !== null && copy.size === size) {
    const answer = await fromStore(allowed, copy, range.kind === "part" ? range.range : null);
    if (answer !== null) return answer;
    return range.kind === "part"
      ? bypass(edge, request, "store-unavailable")
      : fromOriginAlone(allowed, "store-unavailable");
  }
  if (range.kind === "part") return bypass(edge, request, "range-not-stored");
  if (size > settings.imageMaxBytes) return bypass(edge, request, "too-large");
  if (size > settings.cacheMaxBytes) return fromOriginAlone(allowed, "no-room");
  // Without the catalog a fill could not be committed; and the image may well be stored already.
  if (stored === "unavailable") return fromOriginAlone(allowed, "catalog-unavailable");
  return throughFill(allowed);
}

const WHOLE = { kind: "whole" } as const;

async function findStored(edge: Edge, target: ImageTarget): Promise<StoredImage | "unavailable" | null> {
  try {
    return await withDeadline("the catalog", CATALOG_MS, edge.catalog.find(target.imageId));
  } catch (cause) {
    edge.log.error("catalog.unavailable", cause, { image_id: target.imageId });
    return "unavailable";
  }
}

/** The stored copy, if it is what the record describes. v1 knows no digest but the MD5. */
function matching(stored: StoredImage, target: ImageTarget, digest: Digest): StoredImage | null {
  const same = stored.blob === blobName(target.imageId, digest);
  const sameMd5 = target.api === "v1" && stored.checksum === digest.hex;
  return same || sameMd5 ? stored : null;
}

/** The origin's own answer to the original request, with the reason why the cache kept out of it. */
async function bypass(edge: Edge, request: Request, detail: Detail): Promise<Response> {
  const response = await forward(request, edge.settings);
  addCacheStatus(response.headers, { kind: "bypass", detail });
  return response;
}

/** A hit. @returns null when the store does not answer */
async function fromStore(allowed: Allowed, image: StoredImage, range: ByteRange | null): Promise<Response | null> {
  const { edge, head, size } = allowed;
  const reader: StoredReader = { image, catalog: edge.catalog, slices: edge.slices, log: edge.log };
  const { from, to } = range ?? { from: 0, to: size };
  const parts = partsOf(image, from, to);
  const first = parts[0] === undefined ? { kind: "missing" as const } : await openPart(reader, parts[0]);
  if (first.kind === "unavailable") {
    edge.log.error("store.unavailable", first.cause, { image_id: image.imageId });
    return null;
  }
  const client = new ClientBody(to - from, from);
  const sending = sendStored(reader, parts, first, client, sourceOf(allowed)).catch(async (cause: unknown) => {
    if (!allowed.request.signal.aborted) edge.log.error("download.cut", cause, { image_id: image.imageId });
    await client.cut(cause instanceof Error ? cause : new Error("the download failed"));
  });
  edge.background(countHit(edge, image.imageId, sending));
  notifyAfter(allowed, client, sending);
  const headers = imageHeaders(head, { kind: "hit" }, null);
  if (range === null) return dataAnswer(200, headers, client);
  headers.set("content-range", contentRange(range, size));
  return dataAnswer(206, headers, client);
}

/** A whole image that is not committed: through its fill, shared with whoever else wants it. */
async function throughFill(allowed: Allowed): Promise<Response> {
  const { head } = allowed;
  const shared = sharedDownload(allowed);
  const turn = await shared.firstTurn();
  if (turn.do === "alone") return fromOriginAlone(allowed, turn.why);
  if (turn.do !== "pull") {
    followShared(allowed, shared.client, shared.run(turn, null));
    return dataAnswer(200, imageHeaders(head, { kind: "collapsed" }, null), shared.client);
  }
  const opened = await openOrigin(allowed).catch(async (cause: unknown) => {
    await shared.decline(turn);
    throw cause;
  });
  if (opened instanceof Response) {
    await shared.decline(turn);
    addCacheStatus(opened.headers, { kind: "miss", stored: false, detail: "right-refused" });
    return opened;
  }
  followShared(allowed, shared.client, shared.run(turn, opened.body));
  const headers = imageHeaders(head, { kind: "miss", stored: true }, opened.headers);
  return dataAnswer(200, headers, shared.client);
}

/** A download that reads what a fill stores goes on needing it after the commit. */
function followShared(allowed: Allowed, client: ClientBody, sending: Promise<void>): void {
  allowed.edge.background(keepInUse(allowed.edge, allowed.target.imageId, sending));
  notifyAfter(allowed, client, sending);
}

/** A whole image that the cache can't help with now: from the origin through the digest gate. */
async function fromOriginAlone(allowed: Allowed, why: Detail): Promise<Response> {
  const { head } = allowed;
  const opened = await openOrigin(allowed);
  const outcome: CacheOutcome = { kind: "miss", stored: false, detail: why };
  if (opened instanceof Response) {
    addCacheStatus(opened.headers, outcome);
    return opened;
  }
  const shared = sharedDownload(allowed);
  notifyAfter(allowed, shared.client, shared.run({ do: "alone", why }, opened.body));
  return dataAnswer(200, imageHeaders(head, outcome, opened.headers), shared.client);
}

/** Keeps a download going behind its answer, and tells of it when it has ended. @param sending never rejects */
function notifyAfter({ edge, request, target, head }: Allowed, client: ClientBody, sending: Promise<void>): void {
  const ended = sending.then(() =>
    notifyDownload(
      {
        imageId: target.imageId,
        ownerId: head.record.owner,
        bytesSent: client.sent,
        expected: client.length,
        // Cloudflare's word for who connected; what a client says of itself is stripped or worth nothing.
        destinationIp: request.headers.get("cf-connecting-ip"),
        token: callerHeaders(request.headers).get("x-auth-token"),
      },
      edge.notifier,
    ),
  );
  edge.background(ended);
}

interface OpenedOrigin {
  readonly body: ImageBody;
  readonly headers: Headers;
}

/** The origin's data from its first byte, or, where the origin refuses, its own answer to the original request. */
async function openOrigin(allowed: Allowed): Promise<OpenedOrigin | Response> {
  const body = new ImageBody(sourceOf(allowed));
  try {
    return { body, headers: await body.open(0) };
  } catch (cause) {
    if (!(cause instanceof ImageBodyError)) throw cause;
    if (cause.problem.reason === "refused") await cause.problem.response.body?.cancel();
    return forward(allowed.request, allowed.edge.settings);
  }
}

function sourceOf(allowed: Allowed): ImageSource {
  const { edge, request, target, size } = allowed;
  return { target, caller: request.headers, origin: edge.settings.origin, size };
}

function sharedDownload(allowed: Allowed): SharedDownload {
  const { edge, request, target, head, size } = allowed;
  const blob = blobName(target.imageId, head.digest);
  const subject: Subject = { imageId: target.imageId, blob, digest: head.digest, checksum: head.record.checksum, size };
  return new SharedDownload({
    subject,
    source: sourceOf(allowed),
    errand: { target, headers: [...callerHeaders(request.headers)] },
    fill: new FillClient(edge.fills, target.imageId, edge.log),
    slices: edge.slices,
    signal: request.signal,
    log: edge.log,
  });
}
