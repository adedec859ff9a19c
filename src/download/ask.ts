/**
 * A download's three questions, asked at once: the caller's record, the caller's right, and what R2 holds. Invariant 1: what
 * is no clear yes of the origin is a no.
 */
import type { Edge } from "../context.ts";
import { askRecord, type RecordAnswer } from "../glance/ask-record.ts";
import { askRight } from "../glance/ask-right.ts";
import { permissionKey } from "../glance/remembered.ts";
import type { ImageTarget } from "../glance/target.ts";
import type { Log } from "../lib/log.ts";
import type { StoredImage } from "../store/objects.ts";
import { type Opening, openingFor } from "./range.ts";

/** How often one isolate tells of an origin that was set up oddly. */
export const HOUR_MS = 3_600_000;

export type Found = Extract<RecordAnswer, { kind: "found" }>;

export type Permission =
  /** The record is the caller's to see; `right`: so is the data. */
  | { readonly kind: "seen"; readonly answer: Found; readonly right: boolean }
  /** `gone`: the origin says that there is no such image, to a caller whom it had allowed this very download before. */
  | { readonly kind: "refused"; readonly gone: boolean };

/** What R2 holds under the image's key. */
export type Copy =
  /** `body`: opened at the part that `opening` says; null where only the head was asked for. */
  | { readonly kind: "there"; readonly image: StoredImage; readonly body: ReadableStream<Uint8Array> | null }
  | { readonly kind: "none" }
  | { readonly kind: "unavailable" };

export interface Asked {
  readonly permission: Permission;
  readonly copy: Copy;
  readonly opening: Opening;
  readonly took: Took;
}

/** How long the answers took, ms; null: nothing was asked. */
interface Took {
  readonly originMs: number | null;
  readonly storeMs: number | null;
}

/** Asks all three. Never throws: whatever fails is a no, or no copy. */
export async function askAll(edge: Edge, request: Request, target: ImageTarget): Promise<Asked> {
  const opening = openingFor(request.headers);
  const began = edge.now();
  const looking = request.method === "HEAD" ? headCopy(edge, target) : openCopy(edge, target, opening);
  const [[permission, originMs], [copy, storeMs]] = await Promise.all([
    askPermission(edge, request, target),
    looking.then((found) => [found, edge.now() - began] as const),
  ]);
  return { permission, copy, opening, took: { originMs, storeMs } };
}

/** The permission, and how long the origin took for it. */
type Answered = readonly [permission: Permission, originMs: number | null];

async function askPermission(edge: Edge, request: Request, target: ImageTarget): Promise<Answered> {
  const { settings, permissions, policyOrder, seldom, log, now } = edge;
  const { imageId } = target;
  const key = await permissionKey(request.headers, target);
  const recalled = permissions.recall(key, settings.authorizationTtlMs, now());
  if (recalled !== null) return [{ kind: "seen", answer: recalled, right: true }, null];
  const began = now();
  const asking = permissions.asking(now());
  const isPolicyFirst = () => policyOrder.isPolicyFirst(settings, now(), log, edge.background);
  const onStrange416 = () => {
    if (seldom.isDue("origin.strange-416", HOUR_MS, now())) log.info("origin.strange-416", { image_id: imageId });
  };
  const [record, right] = await Promise.all([
    askRecord(target, request.headers, settings).catch((cause: unknown) => {
      log.error("origin.record-failed", cause, { image_id: imageId });
      return { kind: "refused" as const, status: 0 };
    }),
    askRight(target, request.headers, settings, isPolicyFirst, onStrange416).catch((cause: unknown) => {
      log.error("origin.right-failed", cause, { image_id: imageId });
      return false;
    }),
  ]);
  const tookMs = now() - began;
  const deleted = record.kind === "found" && record.record.status === "deleted";
  if (record.kind !== "found" || deleted) {
    // Glance gives the same 404 for a deleted and for a hidden image: only who was allowed before can tell them apart.
    const gone = (record.kind === "not-found" || deleted) && permissions.wasAllowed(key);
    return [{ kind: "refused", gone }, tookMs];
  }
  if (right) permissions.allow(key, imageId, record, asking);
  return [{ kind: "seen", answer: record, right }, tookMs];
}

/** What R2 holds, opened. Never throws. */
export async function openCopy({ objects, log }: Edge, { imageId }: ImageTarget, opening: Opening): Promise<Copy> {
  return lookAt(log, imageId, () => objects.open(imageId, opening));
}

async function headCopy({ objects, log }: Edge, { imageId }: ImageTarget): Promise<Copy> {
  return lookAt(log, imageId, async () => {
    const image = await objects.head(imageId);
    return image === null || image === "foreign" ? null : { image, body: null };
  });
}

async function lookAt(
  log: Log,
  imageId: string,
  look: () => Promise<Omit<Extract<Copy, { kind: "there" }>, "kind"> | null>,
): Promise<Copy> {
  try {
    const found = await look();
    return found === null ? { kind: "none" } : { kind: "there", ...found };
  } catch (cause) {
    log.error("store.unavailable", cause, { image_id: imageId });
    return { kind: "unavailable" };
  }
}
