/**
 * An edge with little room: CACHE_MAX_BYTES for the Worker and its Fills alike, and a meter on its bucket. Room for a fill is
 * twice its image: its slices and its object are there together for a while.
 */
import { expect } from "vitest";
import type { Env } from "../../src/settings.ts";
import { CALM, fillEnv } from "./fill-env.ts";
import { expectKept, expectOnce, takeData } from "./fills.ts";
import { type MeteredBucket, meterBucket } from "./metered-bucket.ts";
import { expectImage, startReader } from "./readers.ts";
import { bindings, createImage, type Image, settled } from "./scenario.ts";
import { catalog, emptyStore, imageIds, room } from "./store.ts";

export { catalog, room };

export interface SmallEdge extends MeteredBucket {
  /** For the requests through it. */
  readonly env: Partial<Env>;
}

/** An empty edge with so much room, bytes. Fills that are made from now on belong to it. */
export async function smallEdge(cap: number, fill: Partial<Env> = {}): Promise<SmallEdge> {
  await emptyStore();
  const meter = meterBucket();
  const env = { CACHE_MAX_BYTES: String(cap), BUCKET: meter.bucket };
  fillEnv.changes = { ...CALM, ...env, ...fill };
  return { ...meter, env };
}

/** A new image that the edge has kept, and that is not in use any more. @param lastAccessed ms since the epoch */
export async function storedImage({ env }: Pick<SmallEdge, "env">, size: number, lastAccessed = 1): Promise<Image> {
  const image = await createImage({ size });
  const reader = await startReader(image.id, { env });
  expect(reader.cacheStatus).toBe("glance-edge; fwd=uri-miss; stored");
  await expectImage(reader, image);
  await expectOnce(image);
  await expectKept(image);
  await bindings.CATALOG.prepare("UPDATE images SET in_use_until = 0, last_accessed = ?2 WHERE image_id = ?1")
    .bind(image.id, lastAccessed)
    .run();
  return image;
}

/** The ids of the kept images, as a set. */
export async function storedIds(): Promise<Set<string>> {
  return new Set(await imageIds());
}

/** Downloads an image that the edge can't keep, and takes its calls. */
export async function expectNotStored({ env, log }: SmallEdge, image: Image): Promise<void> {
  const before = log.length;
  const reader = await startReader(image.id, { env });
  expect(reader.cacheStatus).toBe("glance-edge; fwd=uri-miss; detail=no-room");
  await expectImage(reader, image);
  await settled();
  await takeData(image);
  expect(log.slice(before).filter(({ what, key }) => what === "put" && key.includes(image.id))).toEqual([]);
  expect((await storedIds()).has(image.id)).toBe(false);
}

export const file = (image: Image) => `GET /v2/images/${image.id}/file`;

/** The keys of the slices of the image's fill. */
export async function slicesOf({ id }: Pick<Image, "id">): Promise<string[]> {
  const { objects } = await bindings.BUCKET.list({ prefix: `fills/${id}/` });
  return objects.map(({ key }) => key);
}

/** Waits until the room of all fills is given back. */
export async function expectRoom(kept: number, filling = 0): Promise<void> {
  await expect.poll(() => room.sums(), { timeout: 50_000, interval: 150 }).toEqual({ kept, filling });
}
