import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { cacheList, expectEmpty, expectJson, manage } from "../support/manage.ts";
import { expectImage, type Reader, startReader } from "../support/readers.ts";
import {
  asks,
  bindings,
  cacheImage,
  committed,
  createImage,
  expectCalls,
  goesOn,
  type Image,
  isCommitted,
  PROBE,
  setFaults,
  settled,
  storedSlices,
} from "../support/scenario.ts";
import { emptyStore, generations } from "../support/store.ts";

const SIZE = 3_000_000;
const PAUSE = 600_000;
const record = (id: string) => `GET /v2/images/${id}`;
const file = (id: string) => `GET /v2/images/${id}/file`;
const slicesOf = ({ os_hash_value }: Image) => storedSlices(`blobs/sha512-${os_hash_value}/`);

const readers: Reader[] = [];
const start = async (...args: Parameters<typeof startReader>) => {
  const reader = await startReader(...args);
  readers.push(reader);
  return reader;
};

beforeEach(emptyStore);
afterEach(async () => {
  vi.restoreAllMocks();
  for (const reader of readers.splice(0)) reader.leave();
});

/** Ways to take an image out of the cache, and what the origin is asked for them if the image is not stored. */
const WAYS: [string, (id: string) => string, (id: string) => string[]][] = [
  ["deleting it", (id) => `DELETE /v2/cache/${id}`, (id) => [record(id)]],
  ["deleting it in the legacy form", (id) => `DELETE /v2/cached_images/${id}`, () => []],
  ["clearing the cache", () => "DELETE /v2/cache", () => []],
  ["clearing the cache in the legacy form", () => "DELETE /v2/cached_images", () => []],
];

/** What a client that had stored bytes proves the rest of its download with, if it has to. */
const proofs = (id: string) => [`*${file(id)}`, goesOn(id)];

describe.each(WAYS)("%s", (_, line, calls) => {
  const takeOut = async (id: string) => {
    const response = await manage(line(id));
    expect(response.ok).toBe(true);
    await response.arrayBuffer();
  };

  it("does not cut a slow download of it: what is gone comes from the origin, and is not stored again", async () => {
    const image = await createImage({ size: SIZE });
    await cacheImage(image.id);
    const reader = await start(image.id, { pauseAt: PAUSE });
    expect(reader.cacheStatus).toBe("glance-edge; hit");
    await reader.has(PAUSE);
    await takeOut(image.id);
    expect(await isCommitted(image.id)).toBe(false);
    await expect.poll(() => slicesOf(image), { timeout: 5_000 }).toEqual([]);
    reader.resume();
    await expectImage(reader, image);
    await settled();
    expect(await isCommitted(image.id)).toBe(false);
    expect(await slicesOf(image)).toEqual([]);
    const seen = await expectCalls(...asks(image.id), goesOn(image.id));
    expect(seen.some(({ range }) => range !== null && range !== PROBE)).toBe(true);
  });

  it("does not cut the download that just fills it, nor those that share it, and the image is stored", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 1_500_000 });
    const puller = await start(image.id);
    const sharer = await start(image.id);
    await puller.has(PAUSE);
    await sharer.has(100_000);
    await takeOut(image.id);
    await expectImage(puller, image);
    await expectImage(sharer, image);
    await settled();
    await committed(image.id);
    const two = [...asks(image.id), ...asks(image.id)];
    await expectCalls(...two, ...calls(image.id), file(image.id), goesOn(image.id));
  });

  it("right after the commit is no reason to give out what is no more: the next download stores it anew", async () => {
    const image = await createImage({ size: 700_000 });
    await cacheImage(image.id);
    await takeOut(image.id);
    const next = await start(image.id);
    expect(next.cacheStatus).toBe("glance-edge; fwd=uri-miss; stored");
    await expectImage(next, image);
    await committed(image.id);
    const hit = await start(image.id);
    expect(hit.cacheStatus).toBe("glance-edge; hit");
    await expectImage(hit, image);
    const two = [...asks(image.id), ...asks(image.id)];
    await expectCalls(...two, file(image.id), goesOn(image.id));
  });

  it("right after the commit never gives one who shares the fill a wrong byte", async () => {
    const image = await createImage({ size: SIZE });
    const [puller, sharer] = [await start(image.id), await start(image.id, { pauseAt: PAUSE })];
    await expectImage(puller, image);
    await committed(image.id);
    await takeOut(image.id);
    expect(await isCommitted(image.id)).toBe(false);
    sharer.resume();
    if ((await sharer.ended) === "whole") expect(await sharer.sha512()).toBe(image.os_hash_value);
    else expect(sharer.received).toBeLessThan(SIZE);
    await settled();
    await expect.poll(() => slicesOf(image), { timeout: 5_000 }).toEqual([]);
    const two = [...asks(image.id), ...asks(image.id)];
    await expectCalls(...two, ...proofs(image.id));
  });
});

describe("pruning", () => {
  const env = { CACHE_MAX_BYTES: "0" };
  const prune = async () => expectJson(await manage("POST /v2/cache/prune", { env }));

  it("spares an image while a client downloads it, however slowly, and takes it afterwards", async () => {
    const image = await createImage({ size: SIZE });
    await cacheImage(image.id);
    await bindings.CATALOG.prepare("UPDATE images SET in_use_until = 0").run();
    const reader = await start(image.id, { pauseAt: PAUSE });
    await expect.poll(() => cacheList(), { timeout: 3_000 }).toMatchObject({ cached_images: [{ hits: 1 }] });
    expect(await prune()).toEqual({ total_files_pruned: 0, total_bytes_pruned: 0 });
    reader.resume();
    await expectImage(reader, image);
    await settled();
    await bindings.CATALOG.prepare("UPDATE images SET in_use_until = 0").run();
    expect(await prune()).toEqual({ total_files_pruned: 1, total_bytes_pruned: SIZE });
    expect(await slicesOf(image)).toEqual([]);
    await expectCalls(...asks(image.id));
  });

  it("spares an image while a client that shared its fill still reads it, long after the commit", async () => {
    const { wait } = scheduler;
    // So that what is said every 20 s is said five times a second.
    vi.spyOn(scheduler, "wait").mockImplementation((ms, options) =>
      wait.call(scheduler, ms === 20_000 ? 200 : ms, options),
    );
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 6_000_000 });
    const puller = await start(image.id);
    const slow = await start(image.id, { pauseAt: PAUSE });
    expect(slow.cacheStatus).toBe("glance-edge; fwd=uri-miss; collapsed");
    await expectImage(puller, image);
    await committed(image.id);
    const forget = async () => {
      await bindings.CATALOG.prepare("UPDATE images SET in_use_until = 0").run();
    };
    const inUse = async () => (await generations.candidates(9)).map(({ inUseUntil }) => inUseUntil > Date.now());
    await forget();
    await expect.poll(inUse, { timeout: 5_000 }).toEqual([true]);
    expect(await prune()).toEqual({ total_files_pruned: 0, total_bytes_pruned: 0 });
    slow.resume();
    await expectImage(slow, image);
    await settled();
    // It has ended: nobody says so any more.
    await forget();
    await scheduler.wait(1_500);
    expect(await inUse()).toEqual([false]);
    await expectCalls(...asks(image.id), ...asks(image.id), file(image.id), goesOn(image.id));
  });

  it("and cleaning leave a running fill alone", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 1_500_000 });
    const reader = await start(image.id);
    await reader.has(PAUSE);
    expect(await prune()).toEqual({ total_files_pruned: 0, total_bytes_pruned: 0 });
    await expectEmpty(await manage("POST /v2/cache/clean", { env: { CLEAN_STALL_SECONDS: "60" } }), 200);
    await expectImage(reader, image);
    await settled();
    await committed(image.id);
    await expectCalls(...asks(image.id), file(image.id), goesOn(image.id));
  });
});
