/** The parts of the new store on the real local D1 and R2, and content with its digests to put there. */
import { type Algorithm, type Digest, WEB_CRYPTO_NAME } from "../../src/digest/algorithms.ts";
import { toHex } from "../../src/lib/hex.ts";
import { Catalog } from "../../src/store/catalog.ts";
import { Cursors } from "../../src/store/cursors.ts";
import { ObjectStore } from "../../src/store/objects.ts";
import { BEGINNING, PrefetchQueue, type QueuedImage } from "../../src/store/queue.ts";
import { RoomBook } from "../../src/store/room.ts";
import { SliceStore } from "../../src/store/slices.ts";
import { bindings } from "./env.ts";

export const bucket = bindings.BUCKET;
export const db = bindings.CATALOG;
export const catalog = new Catalog(db);
export const room = new RoomBook(db);

/** With all that it says of each image, which nothing in src/ wants of more than a page. */
class WholeQueue extends PrefetchQueue {
  async list(): Promise<QueuedImage[]> {
    const images = await this.page(BEGINNING, 100_000);
    return images.map(({ hasRoom: _, ...image }) => image);
  }
}

export const queue = new WholeQueue(db);
export const cursors = new Cursors(db);
export const objects = new ObjectStore(bucket);
export const slices = new SliceStore(bucket);

export async function emptied(): Promise<void> {
  await db.batch(["images", "fills", "queue", "upkeep", "traffic"].map((table) => db.prepare(`DELETE FROM ${table}`)));
  for (;;) {
    const page = await bucket.list();
    if (page.objects.length === 0) return;
    await bucket.delete(page.objects.map(({ key }) => key));
  }
}

/** The keys of all objects in R2. */
export async function keys(): Promise<string[]> {
  return (await bucket.list()).objects.map(({ key }) => key);
}

/** Bytes that repeat nowhere soon. */
export function content(size: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: size }, (_, index) => (index * 31 + (index >> 8)) % 251);
}

export async function digestOf(bytes: Uint8Array<ArrayBuffer>, algorithm: Algorithm = "sha512"): Promise<Digest> {
  return { algorithm, hex: toHex(await crypto.subtle.digest(WEB_CRYPTO_NAME[algorithm], bytes)) };
}

export function text(body: ReadableStream<Uint8Array> | null | undefined): Promise<string | null> {
  return body == null ? Promise.resolve(null) : new Response(body).text();
}

/** The whole body. @throws whatever the body throws */
export async function bytesOf(body: ReadableStream<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Response(body).arrayBuffer());
}

/** A body of known length, as R2 wants it; not one of the runtime's transforms, which can't be piped into each other. */
export function bodyOf(bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array> {
  const { body } = new Response(bytes);
  if (body === null) throw new Error("there is no body");
  return body;
}

/** An object as a Fill keeps it. */
export async function keep(imageId: string, bytes: Uint8Array<ArrayBuffer>, attempt = "mine"): Promise<void> {
  const put = await objects.put(imageId, bodyOf(bytes), { attempt, digest: await digestOf(bytes), rangesFrom: 0 });
  if (put !== "created") throw new Error(`the object was not created: ${put}`);
}

/** The image is in the index: nothing is in R2. */
export function index(imageId: string, at: number, size = 10, attempt = `attempt of ${imageId}`): Promise<void> {
  return catalog.keep({ imageId, attempt, size }, at);
}
