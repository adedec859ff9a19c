/**
 * The parts of the store on the real D1 and R2, and images in it that no fill had to bring. For tests of what manages the
 * store; each begins with an empty one.
 */
import type { Algorithm } from "../../src/digest/algorithms.ts";
import { createLog } from "../../src/lib/log.ts";
import { Catalog, type Indexed } from "../../src/store/catalog.ts";
import { Cursors } from "../../src/store/cursors.ts";
import { ObjectStore } from "../../src/store/objects.ts";
import { PartStore } from "../../src/store/parts.ts";
import { BEGINNING, PrefetchQueue, type QueuedImage } from "../../src/store/queue.ts";
import { type Caps, RoomBook } from "../../src/store/room.ts";
import { type Attempt, SliceStore } from "../../src/store/slices.ts";
import { bindings } from "./env.ts";

/** With all that it says of each image, which nothing in src/ wants of more than a page. */
class WholeQueue extends PrefetchQueue {
  async list(): Promise<QueuedImage[]> {
    const images = await this.page(BEGINNING, 100_000);
    return images.map(({ hasRoom: _, ...image }) => image);
  }
}

export const catalog = new Catalog(bindings.CATALOG);
export const room = new RoomBook(bindings.CATALOG);
export const queue = new WholeQueue(bindings.CATALOG);
export const cursors = new Cursors(bindings.CATALOG);
export const slices = new SliceStore(bindings.BUCKET);
export const objects = new ObjectStore(bindings.BUCKET);
export const parts = new PartStore(bindings.BUCKET);
export const log = createLog({ test: true });

export const TABLES = ["images", "fills", "queue", "upkeep"] as const;

export async function emptyStore(): Promise<void> {
  await emptyCatalog();
  for (;;) {
    const { objects } = await bindings.BUCKET.list();
    if (objects.length === 0) return;
    await bindings.BUCKET.delete(objects.map(({ key }) => key));
  }
}

/** As if the D1 database had been made anew. */
export async function emptyCatalog(): Promise<void> {
  await bindings.CATALOG.batch([...TABLES, "traffic"].map((table) => bindings.CATALOG.prepare(`DELETE FROM ${table}`)));
}

/** A cap of so many bytes, all of it for each project. */
export function capped(cacheMaxBytes: number): Caps {
  return { cacheMaxBytes, ownerMaxBytes: cacheMaxBytes };
}

export interface NewImage {
  /** Bytes; 10 by default. */
  readonly size?: number;
  readonly algorithm?: Algorithm;
  /** When it was committed, ms since the epoch; 0 by default. */
  readonly at?: number;
}

/** Keeps an image with a true digest, as its Fill does. It is in use by nobody afterwards. */
export async function storeImage(imageId: string, options: NewImage = {}): Promise<Indexed> {
  const image = await storeObject(imageId, options);
  await index(image, options.at ?? 0);
  return image;
}

/** The object alone: the index does not know it. */
export async function storeObject(imageId: string, options: NewImage = {}): Promise<Indexed> {
  const { size = 10, algorithm = "sha512" } = options;
  const bytes = contentOf(imageId, size);
  const attempt = crypto.randomUUID();
  const digest = { algorithm, hex: await hashOf(algorithm, bytes) };
  const put = await objects.put(imageId, bodyOf(bytes), { attempt, digest, rangesFrom: 0 });
  if (put !== "created") throw new Error(`${imageId} was not kept: ${put}`);
  return { imageId, attempt, size };
}

/** An image in parts of so many bytes, and its manifest. */
export async function storeInParts(imageId: string, partBytes: number, options: NewImage = {}): Promise<Indexed> {
  const { size = 10, algorithm = "sha512" } = options;
  const bytes = contentOf(imageId, size);
  const attempt = crypto.randomUUID();
  const sums: string[] = [];
  for (let at = 0; at < size; at += partBytes) {
    const piece = bytes.slice(at, at + partBytes);
    const sum = await hashOf("sha256", piece);
    await parts.put({ imageId, attempt }, sums.length, sum, bodyOf(piece));
    sums.push(sum);
  }
  const digest = { algorithm, hex: await hashOf(algorithm, bytes) };
  await objects.putManifest(imageId, size, { partBytes, sums }, { attempt, digest, rangesFrom: 0 });
  const image = { imageId, attempt, size };
  await index(image, options.at ?? 0);
  return image;
}

/** Slices of an attempt that nobody is at. @param count of them, of one byte each */
export async function storeSlices(imageId: string, count = 5): Promise<Attempt> {
  const attempt = { imageId, attempt: crypto.randomUUID() };
  for (let slice = 0; slice < count; slice++) await slices.put(attempt, slice, new Uint8Array(1));
  return attempt;
}

/** Rows of images that R2 need not have: for tests of what is asked of D1 alone. @param at when they were committed */
export async function indexOnly(imageIds: readonly string[], at = 1): Promise<void> {
  await bindings.CATALOG.prepare(
    `INSERT INTO images (image_id, attempt, size, committed_at, last_accessed, verified_at, scrubbed_at)
     SELECT value, value, 1, ?2, key, 1, 1 FROM json_each(?1)`,
  )
    .bind(JSON.stringify(imageIds), at)
    .run();
}

async function index(image: Indexed, at: number): Promise<void> {
  await catalog.keep(image, at);
  await bindings.CATALOG.prepare("UPDATE images SET in_use_until = 0 WHERE image_id = ?").bind(image.imageId).run();
}

/** What R2 holds under an image's key by another hand than its Fill's. */
export async function putByHand(imageId: string, text: string, customMetadata: Record<string, string> = {}) {
  await bindings.BUCKET.put(`images/${imageId}`, text, { customMetadata });
}

/** Marks an image as in use until then (ms since the epoch), and as accessed. */
export async function use(imageId: string, lastAccessed: number, inUseUntil = 0): Promise<void> {
  await catalog.recordUse([{ imageId, hits: 1, lastAccessed, inUseUntil }]);
}

/** The ids of all images in the index, in alphabetical order. */
export async function imageIds(): Promise<string[]> {
  return (await catalog.list()).map(({ imageId }) => imageId).sort();
}

/** The keys of all objects in R2. */
export async function objectKeys(prefix = ""): Promise<string[]> {
  const { objects } = await bindings.BUCKET.list({ prefix });
  return objects.map(({ key }) => key);
}

/** All that R2 has of an image. */
export async function keysOf(imageId: string): Promise<string[]> {
  return (await objectKeys()).filter((key) => key.split("/")[1] === imageId);
}

export function contentOf(seed: string, size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  new TextEncoder().encodeInto(`${seed} `.repeat(Math.ceil(size / (seed.length + 1))).slice(0, size), bytes);
  return bytes;
}

async function hashOf(algorithm: Algorithm, bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const name = algorithm === "md5" ? "MD5" : algorithm.replace("sha", "SHA-");
  const hash = new Uint8Array(await crypto.subtle.digest(name, bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A body whose length R2 knows. */
function bodyOf(bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array> {
  const { body } = new Response(bytes);
  if (body === null) throw new Error("a response without a body");
  return body;
}
