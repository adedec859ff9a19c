/**
 * A hit: the slices that a range covers go from R2 to the client natively, the next one opened before this one ends.
 * A slice that is missing or changed is taken from the origin, checked against what was verified, and stored again.
 */
import type { Log } from "../observe/log.ts";
import { ImageBody, type ImageSource } from "../origin/image-body.ts";
import type { Catalog, StoredImage } from "../store/catalog.ts";
import { type SlicePart, sliceLength, sliceStart } from "../store/slice-plan.ts";
import { etagOf, type SliceStore } from "../store/slices.ts";
import type { ClientBody } from "./client-body.ts";

export type Opened =
  | { readonly kind: "open"; readonly body: ReadableStream<Uint8Array> }
  /** Not there, or not what was verified. */
  | { readonly kind: "missing" }
  /** The store did not answer. */
  | { readonly kind: "unavailable"; readonly cause: unknown };

export interface StoredReader {
  readonly image: StoredImage;
  readonly catalog: Catalog;
  readonly slices: SliceStore;
  readonly log: Log;
}

/** Opens one part of a stored image. Never throws. */
export async function openPart(reader: StoredReader, part: SlicePart): Promise<Opened> {
  const { image, slices } = reader;
  const etag = image.etags[part.slice];
  if (etag === undefined) return { kind: "missing" };
  const size = sliceLength(image, part.slice);
  try {
    const opened = await slices.open(image.blob, image.generation, { ...part, size }, etag);
    return opened === null ? { kind: "missing" } : { kind: "open", body: opened.body };
  } catch (cause) {
    return { kind: "unavailable", cause };
  }
}

/**
 * Sends all parts. `first` is the first one, opened already.
 * @throws when a part can be had neither from the store nor from the origin, or the client is gone
 */
export async function sendStored(
  reader: StoredReader,
  parts: readonly SlicePart[],
  first: Opened,
  client: ClientBody,
  source: ImageSource,
): Promise<void> {
  let origin: ImageBody | null = null;
  let opening: Promise<Opened> = Promise.resolve(first);
  try {
    for (const [index, part] of parts.entries()) {
      const opened = await opening;
      const next = parts[index + 1];
      if (next !== undefined) opening = openPart(reader, next);
      if (opened.kind === "open") {
        await client.pipe(opened.body, part.length);
        continue;
      }
      origin ??= new ImageBody(source);
      await sendFromOrigin(reader, part, opened, client, origin);
    }
    await client.end();
  } finally {
    origin?.cancel();
    // What was opened ahead and not sent would hold a connection to the store.
    await opening.then((left) => (left.kind === "open" && !left.body.locked ? left.body.cancel() : undefined));
  }
}

/** A slice as the origin has it, proven to be the one that was verified, to the client and back into the store. */
async function sendFromOrigin(
  reader: StoredReader,
  part: SlicePart,
  lost: Exclude<Opened, { kind: "open" }>,
  client: ClientBody,
  origin: ImageBody,
): Promise<void> {
  const { image, catalog, slices, log } = reader;
  const fields = { image_id: image.imageId, slice: part.slice };
  if (lost.kind === "unavailable") log.error("store.unavailable", lost.cause, fields);
  else log.info("store.slice-missing", fields);
  const bytes = await origin.readWhole(sliceStart(image, part.slice), sliceLength(image, part.slice));
  const etag = image.etags[part.slice] ?? "";
  if ((await etagOf(bytes)) !== etag)
    throw new Error(`the origin's slice ${part.slice} is not the one that was verified`);
  // The client first: it waits, the store does not.
  await client.write(bytes.subarray(part.offset, part.offset + part.length));
  if (lost.kind === "unavailable") return;
  try {
    // Evicted meanwhile: what would be stored now nobody would ever read or remove.
    if ((await catalog.generationOf(image.blob)) !== image.generation) return;
    // A changed slice is not overwritten but removed; what takes its place must have the verified content.
    await slices.remove(image.blob, image.generation, part.slice);
    await slices.put(image.blob, image.generation, part.slice, bytes, etag);
    log.info("store.slice-restored", fields);
  } catch (cause) {
    log.error("store.restore-failed", cause, fields);
  }
}
