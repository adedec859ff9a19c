/**
 * An edge with little room: CACHE_MAX_BYTES and a metered bucket for the Worker and its Fills alike, and a look at what
 * takes room in the catalog.
 */
import { expect } from "vitest";
import type { Env } from "../../src/config.ts";
import { Catalog } from "../../src/store/catalog.ts";
import { Generations } from "../../src/store/generations.ts";
import { fillEnv } from "./fill-env.ts";
import { type MeteredBucket, meterBucket } from "./metered-bucket.ts";
import { expectImage, startReader } from "./readers.ts";
import {
  asks,
  bindings,
  committed,
  createImage,
  expectCalls,
  goesOn,
  type Image,
  settled,
  storedSlices,
} from "./scenario.ts";

export const catalog = new Catalog(bindings.CATALOG);
export const generations = new Generations(bindings.CATALOG);

export interface SmallEdge extends MeteredBucket {
  /** For the requests through it. */
  readonly env: Partial<Env>;
}

/** An empty edge with so much room, bytes. Fills that are made from now on belong to it. */
export async function smallEdge(cap: number, fill: Partial<Env> = {}): Promise<SmallEdge> {
  await emptied();
  const meter = meterBucket();
  const env = { CACHE_MAX_BYTES: String(cap), BUCKET: meter.bucket };
  fillEnv.changes = { ...env, ...fill };
  return { ...meter, env };
}

/** Nothing is stored and nothing takes room, whatever other tests of the file have left. */
async function emptied(): Promise<void> {
  const { CATALOG, BUCKET } = bindings;
  await CATALOG.batch(
    ["images", "blobs", "generations", "queue"].map((table) => CATALOG.prepare(`DELETE FROM ${table}`)),
  );
  const keys = await storedSlices();
  if (keys.length > 0) await BUCKET.delete(keys);
}

export const file = (image: Image) => `GET /v2/images/${image.id}/file`;
export const slicesOf = (image: Image) => storedSlices(`blobs/sha512-${image.os_hash_value}/`);

/** A new image that the edge has stored, and that is not in use any more. @param lastAccessed ms since the epoch */
export async function storedImage({ env }: SmallEdge, size: number, lastAccessed = 1): Promise<Image> {
  const image = await createImage({ size });
  const reader = await startReader(image.id, { env });
  expect(reader.cacheStatus).toBe("glance-edge; fwd=uri-miss; stored");
  await expectImage(reader, image);
  await committed(image.id);
  await expectCalls(...asks(image.id), file(image), goesOn(image.id));
  await bindings.CATALOG.prepare("UPDATE images SET in_use_until = 0, last_accessed = ?2 WHERE image_id = ?1")
    .bind(image.id, lastAccessed)
    .run();
  return image;
}

/** The ids of the stored images, as a set. */
export async function storedIds(): Promise<Set<string>> {
  return new Set((await catalog.list()).map(({ imageId }) => imageId));
}

/** Downloads an image that the edge can't store, and takes its calls. */
export async function expectNotStored({ env, log }: SmallEdge, image: Image, detail: string): Promise<void> {
  const before = log.length;
  const reader = await startReader(image.id, { env });
  expect(reader.cacheStatus).toBe(`glance-edge; fwd=uri-miss; detail=${detail}`);
  await expectImage(reader, image);
  await settled();
  await expectCalls(...asks(image.id), file(image));
  expect(log.slice(before)).toEqual([]);
  expect((await storedIds()).has(image.id)).toBe(false);
}
