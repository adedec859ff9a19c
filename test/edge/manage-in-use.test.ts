import { afterEach, beforeEach, describe, expect, it } from "vitest";
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
  isCommitted,
  setFaults,
  settled,
} from "../support/scenario.ts";
import { catalog, emptyStore, keysOf, objectKeys } from "../support/store.ts";
import { keepLines } from "../support/upkeep.ts";

const SIZE = 1_500_000;
const PAUSE = 400_000;
const record = (id: string) => `GET /v2/images/${id}`;
const file = (id: string) => `GET /v2/images/${id}/file`;
const SOON = { timeout: 10_000, interval: 20 };

keepLines();
const readers: Reader[] = [];
const start = async (...args: Parameters<typeof startReader>) => {
  const reader = await startReader(...args);
  readers.push(reader);
  return reader;
};

beforeEach(emptyStore);
afterEach(() => {
  for (const reader of readers.splice(0)) reader.leave();
});

/** Ways to take an image out of the cache, and what the origin is asked for them if the image is not stored. */
const WAYS: [string, (id: string) => string, (id: string) => string[]][] = [
  ["deleting it", (id) => `DELETE /v2/cache/${id}`, (id) => [record(id)]],
  ["clearing the cache", () => "DELETE /v2/cache", () => []],
];

describe.each(WAYS)("%s", (_, line, calls) => {
  const takeOut = async (id: string) => {
    const response = await manage(line(id));
    expect(response.ok).toBe(true);
    await response.arrayBuffer();
  };

  it("does not cut a slow download of it: R2 gives on what it has opened, and nothing is stored again", async () => {
    const image = await createImage({ size: SIZE });
    await cacheImage(image.id);
    const reader = await start(image.id, { pauseAt: PAUSE });
    expect(reader.cacheStatus).toBe("glance-edge; hit");
    await reader.has(PAUSE);
    await takeOut(image.id);
    expect(await isCommitted(image.id)).toBe(false);
    expect(await objectKeys("images/")).toEqual([]);
    reader.resume();
    await expectImage(reader, image);
    await settled();
    expect(await isCommitted(image.id)).toBe(false);
    expect(await objectKeys("images/")).toEqual([]);
    await expectCalls(...asks(image.id));
  });

  it("does not cut the download that just fills it, nor those that share it, and the image is stored", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 1_500_000 });
    const first = await start(image.id);
    const sharer = await start(image.id);
    await first.has(PAUSE);
    await sharer.has(100_000);
    await takeOut(image.id);
    await expectImage(first, image);
    await expectImage(sharer, image);
    await settled();
    await committed(image.id);
    await expectCalls(...asks(image.id), ...asks(image.id), ...calls(image.id), file(image.id));
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
    await expectCalls(...asks(image.id), ...asks(image.id), file(image.id));
  });

  it("right after the commit does not cut one who still reads along, nor gives it a wrong byte", async () => {
    const image = await createImage({ size: SIZE });
    const [first, slow] = [await start(image.id), await start(image.id, { pauseAt: PAUSE })];
    await expectImage(first, image);
    await committed(image.id);
    await takeOut(image.id);
    expect(await isCommitted(image.id)).toBe(false);
    expect(await objectKeys("images/")).toEqual([]);
    slow.resume();
    await expectImage(slow, image);
    await settled();
    // What it read goes all the same.
    await expect.poll(() => keysOf(image.id), SOON).toEqual([]);
    // The rest may have come from the origin, once it has proven by its slices what was sent before.
    await expectCalls(...asks(image.id), ...asks(image.id), `*${file(image.id)}`, goesOn(image.id));
  });
});

describe("pruning", () => {
  const env = { CACHE_MAX_BYTES: "0" };
  const prune = async () => expectJson(await manage("POST /v2/cache/prune", { env }));
  const NOTHING = { total_files_pruned: 0, total_bytes_pruned: 0 };
  const forget = async () => {
    await bindings.CATALOG.prepare("UPDATE images SET in_use_until = 0").run();
  };

  it("spares an image while a client downloads it, however slowly, and takes it afterwards", async () => {
    const image = await createImage({ size: SIZE });
    await cacheImage(image.id);
    await forget();
    const reader = await start(image.id, { pauseAt: PAUSE });
    await expect.poll(() => cacheList(), SOON).toMatchObject({ cached_images: [{ hits: 1 }] });
    expect(await prune()).toEqual(NOTHING);
    reader.resume();
    await expectImage(reader, image);
    await settled();
    await forget();
    expect(await prune()).toEqual({ total_files_pruned: 1, total_bytes_pruned: SIZE });
    expect(await objectKeys("images/")).toEqual([]);
    await expectCalls(...asks(image.id));
  });

  it("spares an image for a minute after its commit: those who followed its fill may go on reading", async () => {
    const image = await createImage({ size: 1_000 });
    await cacheImage(image.id);
    expect(await prune()).toEqual(NOTHING);
    const [candidate] = await catalog.candidates(9);
    expect(candidate?.inUseUntil).toBeGreaterThan(Date.now() + 45_000);
    expect(candidate?.inUseUntil).toBeLessThanOrEqual(Date.now() + 60_000);
    await forget();
    expect(await prune()).toEqual({ total_files_pruned: 1, total_bytes_pruned: 1_000 });
  });

  it("and cleaning leave a running fill alone", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 1_500_000 });
    const reader = await start(image.id);
    await reader.has(PAUSE);
    expect(await prune()).toEqual(NOTHING);
    await expectEmpty(await manage("POST /v2/cache/clean", { env: { CLEAN_STALL_SECONDS: "60" } }), 200);
    await expectImage(reader, image);
    await settled();
    await committed(image.id);
    await expectCalls(...asks(image.id), file(image.id));
  });
});
