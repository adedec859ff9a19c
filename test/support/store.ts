/**
 * The parts of the store on the real D1 and R2, and blobs in it that no fill had to bring. For tests of what manages the
 * store; each begins with an empty one.
 */
import { createLog } from "../../src/observe/log.ts";
import { type Algorithm, blobName, WEB_CRYPTO_NAME } from "../../src/store/blob.ts";
import { Catalog, type StoredImage } from "../../src/store/catalog.ts";
import { Cursors } from "../../src/store/cursors.ts";
import { Generations } from "../../src/store/generations.ts";
import { BEGINNING, PrefetchQueue, type QueuedImage } from "../../src/store/queue.ts";
import { Rounds } from "../../src/store/rounds.ts";
import { sliceCount, sliceLength, sliceStart } from "../../src/store/slice-plan.ts";
import { SliceStore } from "../../src/store/slices.ts";
import type { Store } from "../../src/store/store.ts";
import { bindings } from "./env.ts";

export const catalog = new Catalog(bindings.CATALOG);
export const generations = new Generations(bindings.CATALOG);

/** With all that it says of each image, which nothing in src/ wants of more than a page. */
class WholeQueue extends PrefetchQueue {
  async list(): Promise<QueuedImage[]> {
    const images = await this.page(BEGINNING, 100_000);
    return images.map(({ hasRoom: _, ...image }) => image);
  }
}

export const queue = new WholeQueue(bindings.CATALOG);
export const cursors = new Cursors(bindings.CATALOG);
export const rounds = new Rounds(bindings.CATALOG);
export const slices = new SliceStore(bindings.BUCKET);
export const log = createLog({ test: true });
export const store: Store = { catalog, generations, slices, log };

/** Small ones, so that an image of some bytes has several: the first eight are 2 bytes each. */
export const SLICE_BYTES = 16;

export async function emptyStore(): Promise<void> {
  const tables = ["images", "blobs", "generations", "queue", "upkeep"];
  await bindings.CATALOG.batch(tables.map((table) => bindings.CATALOG.prepare(`DELETE FROM ${table}`)));
  for (;;) {
    const { objects } = await bindings.BUCKET.list();
    if (objects.length === 0) return;
    await bindings.BUCKET.delete(objects.map(({ key }) => key));
  }
}

export interface NewBlob {
  /** Bytes; 10 by default. */
  readonly size?: number;
  /** What distinguishes the content from others of the same size; the image's id by default. */
  readonly seed?: string;
  readonly algorithm?: Algorithm;
  /** When it was committed, ms since the epoch; 0 by default. */
  readonly at?: number;
}

/** Stores the slices of an image with a true digest, and commits it. It is in use by nobody afterwards. */
export async function storeImage(imageId: string, options: NewBlob = {}): Promise<StoredImage> {
  const image = await storeSlices(imageId, options);
  await catalog.commit(image, options.at ?? 0);
  await bindings.CATALOG.prepare("UPDATE images SET in_use_until = 0 WHERE image_id = ?").bind(imageId).run();
  return image;
}

/** The slices alone: nothing names them yet. */
export async function storeSlices(imageId: string, options: NewBlob = {}): Promise<StoredImage> {
  const { size = 10, seed = imageId, algorithm = "sha256" } = options;
  const bytes = contentOf(seed, size);
  const hex = hexOf(await crypto.subtle.digest(WEB_CRYPTO_NAME[algorithm], bytes));
  const blob = blobName(imageId, { algorithm, hex });
  const generation = crypto.randomUUID();
  const plan = { size, sliceBytes: SLICE_BYTES };
  const etags = await Promise.all(
    Array.from({ length: sliceCount(plan) }, async (_, slice) => {
      const start = sliceStart(plan, slice);
      const piece = bytes.subarray(start, start + sliceLength(plan, slice));
      return (await slices.put(blob, generation, slice, piece)).etag;
    }),
  );
  return { imageId, blob, checksum: null, generation, size, sliceBytes: SLICE_BYTES, etags };
}

/** Marks an image as in use until then (ms since the epoch), and as accessed. */
export async function use(imageId: string, lastAccessed: number, inUseUntil = 0): Promise<void> {
  await catalog.recordUse([{ imageId, hits: 1, lastAccessed, inUseUntil }]);
}

/** The ids of all images in the catalog, in alphabetical order. */
export async function imageIds(): Promise<string[]> {
  return (await catalog.list()).map(({ imageId }) => imageId).sort();
}

/** The keys of all objects in R2. */
export async function objectKeys(): Promise<string[]> {
  const { objects } = await bindings.BUCKET.list();
  return objects.map(({ key }) => key);
}

export function sliceKey({ blob, generation }: Pick<StoredImage, "blob" | "generation">, slice: number): string {
  return `blobs/${blob}/${generation}/${slice}`;
}

function contentOf(seed: string, size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  new TextEncoder().encodeInto(`${seed} `.repeat(Math.ceil(size / (seed.length + 1))).slice(0, size), bytes);
  return bytes;
}

function hexOf(bytes: ArrayBuffer): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
