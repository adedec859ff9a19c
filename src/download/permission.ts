/**
 * Whether a caller may have an image, by the origin's own word (invariant 1): its record and the right to download, asked
 * as the caller and at once.
 */
import type { Edge } from "../edge.ts";
import type { Detail } from "../http/cache-status.ts";
import { askRight } from "../origin/ask-right.ts";
import { askRecord, type RecordAnswer } from "../origin/authorize.ts";
import type { ImageTarget } from "../origin/target.ts";

type Found = Extract<RecordAnswer, { kind: "found" }>;

export type Permission =
  /** The record is the caller's to see; `right`: so is the data. */
  | { readonly kind: "seen"; readonly answer: Found; readonly right: boolean }
  | { readonly kind: "refused"; readonly detail: Detail; readonly gone: boolean };

/**
 * Asks the origin, or recalls what it said within AUTHORIZATION_TTL. Never throws: whatever fails is a refusal.
 * @param key names the caller and the image
 */
export async function askPermission(
  edge: Edge,
  request: Request,
  target: ImageTarget,
  key: string,
): Promise<Permission> {
  const { settings, permissions } = edge;
  const recalled = permissions.recall(key, settings.authorizationTtlMs, edge.now());
  if (recalled !== null) return { kind: "seen", answer: recalled, right: true };
  const asking = permissions.asking(edge.now());
  const isPolicyFirst = () => edge.policyOrder.isPolicyFirst(settings.origin, edge.now(), edge.log);
  const [record, right] = await Promise.all([
    askRecord(target, request.headers, settings.origin).catch((cause: unknown) => {
      edge.log.error("origin.record-failed", cause, { image_id: target.imageId });
      return { kind: "refused" as const, status: 0 };
    }),
    askRight(target, request.headers, settings.origin, isPolicyFirst).catch((cause: unknown) => {
      edge.log.error("origin.right-failed", cause, { image_id: target.imageId });
      return false;
    }),
  ]);
  if (record.kind !== "found") {
    return { kind: "refused", detail: "record-refused", gone: record.kind === "not-found" };
  }
  if (record.record.status === "deleted") return { kind: "refused", detail: "not-active", gone: true };
  if (right) permissions.allow(key, target.imageId, record, asking);
  return { kind: "seen", answer: record, right };
}
