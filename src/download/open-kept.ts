/** What is kept of an image, opened for a reader of its fill that goes on from it. */
import type { Subject } from "../fill/protocol.ts";
import type { Log } from "../lib/log.ts";
import { isCopyOf, type ObjectStore } from "../store/objects.ts";
import type { PartStore } from "../store/parts.ts";
import { InParts } from "./in-parts.ts";
import type { ByteRange } from "./range.ts";

export interface KeptIn {
  readonly subject: Subject;
  readonly objects: ObjectStore;
  readonly parts: PartStore;
  readonly log: Log;
}

/**
 * Opens a part of what is kept.
 * @param attempt whose bytes the client has; null: it has none
 * @returns null when it is not there, or of another attempt. Never throws.
 */
export async function openKept(
  { subject, objects, parts, log }: KeptIn,
  range: ByteRange,
  attempt: string | null,
): Promise<ReadableStream<Uint8Array> | InParts | null> {
  try {
    const open = await objects.open(subject.imageId, { offset: range.from, length: range.to - range.from });
    if (open === null) return null;
    const mine = attempt === null || open.image.attempt === attempt;
    if (!mine || !isCopyOf(open.image, subject.digest, subject.size)) {
      await open.body.cancel();
      return null;
    }
    if (open.image.kind === "image") return open.body;
    return await InParts.open({ objects, parts }, open, range);
  } catch (cause) {
    log.error("store.unavailable", cause, { image_id: subject.imageId });
    return null;
  }
}
