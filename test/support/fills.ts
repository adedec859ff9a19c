/** What tests of fills look at: what R2 and D1 hold of an image, and what the origin was asked for its data. */
import { expect } from "vitest";
import type { Env } from "../../src/settings.ts";
import { fillClient } from "./bindings.ts";
import { bindings } from "./env.ts";
import { type Reader, type ReaderOptions, startReader } from "./readers.ts";
import {
  ask,
  asks,
  asksV1,
  createImage,
  type Image,
  isCommitted,
  type OriginCall,
  say,
  setFaults,
  settled,
  takeCalls,
} from "./scenario.ts";
import { readsAtRandom } from "./store-kind.ts";

/** The waits of these tests, which end as soon as what is waited for is there. */
export const SOON = { timeout: 50_000, interval: 150 };

/** The keys in R2 of an image: its object, and slices. */
export async function keysOf(imageId: string): Promise<string[]> {
  const pages = await Promise.all(
    [`images/${imageId}`, `fills/${imageId}/`].map((prefix) => bindings.BUCKET.list({ prefix })),
  );
  return pages.flatMap(({ objects }) => objects.map(({ key }) => key));
}

/** The numbers of the slices in R2. */
export async function slicesOf(imageId: string): Promise<number[]> {
  const keys = await keysOf(imageId);
  return keys
    .filter((key) => key.startsWith("fills/"))
    .map((key) => Number(key.split("/").at(-1)))
    .sort((a, b) => a - b);
}

/** The tables of the catalog that have a row about an image. */
async function tablesWith(imageId: string): Promise<string[]> {
  const tables = ["images", "fills", "queue"];
  const rows = await bindings.CATALOG.batch(
    tables.map((table) => bindings.CATALOG.prepare(`SELECT 1 FROM ${table} WHERE image_id = ?1`).bind(imageId)),
  );
  return tables.filter((_, index) => (rows[index]?.results.length ?? 0) > 0);
}

/** Waits until the image is kept and in the index, and nothing but its object is left of its fill. */
export async function expectKept({ id }: Pick<Image, "id">): Promise<void> {
  await expect.poll(() => keysOf(id), SOON).toEqual([`images/${id}`]);
  await expect.poll(() => tablesWith(id), SOON).toEqual(["images"]);
  await expectForgotten(id);
}

/** Waits until the image is kept, while its slices may still be there. */
export async function objectPut({ id }: Pick<Image, "id">): Promise<void> {
  await expect.poll(async () => (await bindings.BUCKET.head(`images/${id}`)) !== null, SOON).toBe(true);
  await expect.poll(() => isCommitted(id), SOON).toBe(true);
}

/** Waits until nothing is left of the image: neither in R2 nor in the catalog, and no fill. */
export async function expectNothingLeft({ id }: Pick<Image, "id">): Promise<void> {
  await expect.poll(() => keysOf(id), SOON).toEqual([]);
  await expect.poll(() => tablesWith(id), SOON).toEqual([]);
  await expectForgotten(id);
}

async function expectForgotten(imageId: string): Promise<void> {
  await expect.poll(async () => (await fillClient(imageId).progress()).fill, SOON).toBe("none");
}

/** Takes the calls so far. @returns those for the images' data; all others must have been questions about them */
export async function takeData(...images: Pick<Image, "id">[]): Promise<OriginCall[]> {
  const questions = new Set(images.flatMap(({ id }) => [...asks(id), ...asksV1(id)]));
  const paths = images.flatMap(({ id }) => [`/v2/images/${id}/file`, `/v1/images/${id}`]);
  const data: OriginCall[] = [];
  for (const call of await takeCalls()) {
    if (questions.has(say(call))) continue;
    expect(paths).toContain(call.path);
    expect(call.method).toBe("GET");
    data.push(call);
  }
  return data;
}

/** Bytes of image data; what an error says is none. */
export function bytesOf(calls: readonly OriginCall[]): number {
  return calls.reduce((sum, { status, bytes }) => sum + (status < 300 ? bytes : 0), 0);
}

/** Whether the origin's store can read from the middle: all files but those of test/sequential/ are about one that can. */
export const RANDOM_ACCESS = readsAtRandom();

/** The ranges of a pull that goes on at a byte. A store that can't read from the middle refuses it, and is read from byte 0. */
export function goingOn(at: RegExp): unknown[] {
  const range: unknown = expect.stringMatching(at);
  return RANDOM_ACCESS ? [range] : [range, null];
}

/** The most that such pulls may cost: what is missing, or without random access the image once more each. */
export function costOf(
  image: Pick<Image, "size">,
  { missing, pulls = 1 }: { missing: number; pulls?: number },
): number {
  return image.size + (RANDOM_ACCESS ? missing : pulls * image.size);
}

/** Their Range fields; `null` for a whole image. */
export function rangesOf(calls: readonly OriginCall[]): (string | null)[] {
  return calls.map(({ range }) => range);
}

/** The whole image was sent by the origin once, and nothing else of it. */
export async function expectOnce(image: Image): Promise<void> {
  await settled();
  const data = await takeData(image);
  expect(rangesOf(data)).toEqual([null]);
  expect(bytesOf(data)).toBe(image.size);
}

/**
 * The settings of an edge that remembers permissions, and has this caller's: what goes wrong with the image's data from now on
 * does not go wrong with the question for the right, which asks the same path.
 */
export async function remembered(image: Image, options: ReaderOptions = {}): Promise<Partial<Env>> {
  const env = { AUTHORIZATION_TTL: "600" };
  const { api = "v2", token } = options;
  const path = api === "v2" ? `/v2/images/${image.id}/file` : `/v1/images/${image.id}`;
  const response = await ask(path, {
    env,
    headers: { "if-none-match": "*" },
    ...(token === undefined ? {} : { token }),
  });
  expect(response.status).toBe(304);
  await takeCalls();
  return env;
}

/** So many downloads of one image at once. */
export function startReaders(image: Image, count: number, options: ReaderOptions = {}): Promise<Reader[]> {
  return Promise.all(Array.from({ length: count }, () => startReader(image.id, options)));
}

/** An image whose data the origin sends slowly enough for a test to be in the middle of it. @param rate bytes per second */
export async function slowImage(options: Parameters<typeof createImage>[0], rate = 2_000_000): Promise<Image> {
  const image = await createImage(options);
  await setFaults(image.id, { rate });
  return image;
}

/** Lets what the origin sends of the image come so slowly from now on that a test has time before it goes on. */
export async function crawl({ id }: Pick<Image, "id">): Promise<void> {
  await setFaults(id, { rate: 50_000 });
}

/** Waits until so many readers follow the image's fill. */
export async function readersOf({ id }: Pick<Image, "id">, count: number): Promise<void> {
  const readers = async () => {
    const look = await fillClient(id).progress();
    return look.fill === "running" ? look.progress.readers : 0;
  };
  await expect.poll(readers, SOON).toBe(count);
}

/** Deletes an image through the edge. */
export async function deleteImage({ id }: Pick<Image, "id">): Promise<void> {
  const response = await ask(`/v2/images/${id}`, { method: "DELETE" });
  expect(response.status).toBe(204);
}

/** Waits until nothing is left of a deleted image, and the origin's 404 is the answer. */
export async function expectGone(image: Pick<Image, "id">): Promise<void> {
  await expectNothingLeft(image);
  const response = await ask(`/v2/images/${image.id}/file`);
  expect(response.status).toBe(404);
  await response.arrayBuffer();
}
