/** Images that clients read are not taken away from under them. */

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { keptImage, keysOf } from "../../support/kept.ts";
import { keepLines } from "../../support/lines.ts";
import { cacheList, expectEmpty, expectJson, manage } from "../../support/manage.ts";
import { expectImage, type Reader, startReader } from "../../support/readers.ts";
import {
  asks,
  bindings,
  committed,
  createImage,
  expectCalls,
  isCommitted,
  setFaults,
  settled,
} from "../../support/scenario.ts";

const SIZE = 3_000_000;
const PAUSE = 600_000;
const record = (id: string) => `GET /v2/images/${id}`;
const file = (id: string) => `GET /v2/images/${id}/file`;

const readers: Reader[] = [];
const start = async (...args: Parameters<typeof startReader>) => {
  const reader = await startReader(...args);
  readers.push(reader);
  return reader;
};

keepLines();
beforeEach(async () => {
  const { CATALOG, BUCKET } = bindings;
  await CATALOG.batch(["images", "fills", "queue"].map((table) => CATALOG.prepare(`DELETE FROM ${table}`)));
  const { objects } = await BUCKET.list();
  if (objects.length > 0) await BUCKET.delete(objects.map(({ key }) => key));
});
afterEach(() => {
  for (const reader of readers.splice(0)) reader.leave();
});

/** Ways to take an image out of the cache, and what the origin is asked for them if the image is not stored. */
const WAYS: [string, (id: string) => string, (id: string) => string[]][] = [
  ["deleting it", (id) => `DELETE /v2/cache/${id}`, (id) => [record(id)]],
  ["deleting it in the legacy form", (id) => `DELETE /v2/cached_images/${id}`, () => []],
  ["clearing the cache", () => "DELETE /v2/cache", () => []],
  ["clearing the cache in the legacy form", () => "DELETE /v2/cached_images", () => []],
];

describe.each(WAYS)("%s", (_, line, calls) => {
  const takeOut = async (id: string) => {
    const response = await manage(line(id));
    expect(response.ok).toBe(true);
    await response.arrayBuffer();
  };

  it("never gives one who reads it a wrong byte: the download ends right or is cut", async () => {
    const image = await keptImage({ size: SIZE });
    const reader = await start(image.id, { pauseAt: PAUSE });
    expect(reader.cacheStatus).toBe("glance-edge; hit");
    await reader.has(PAUSE);
    await takeOut(image.id);
    expect(await isCommitted(image.id)).toBe(false);
    expect(await keysOf(image)).toEqual([]);
    reader.resume();
    if ((await reader.ended) === "whole") expect(await reader.sha512()).toBe(image.os_hash_value);
    else expect(reader.received).toBeLessThan(SIZE);
    await settled();
    expect(await keysOf(image)).toEqual([]);
    await expectCalls(...asks(image.id));
  });

  it("does not cut those who read along while it is filled, and the image is stored", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 1_500_000 });
    // One waits until that is done: however slow it is, somebody reads.
    const [first, second] = [await start(image.id), await start(image.id, { pauseAt: 100_000 })];
    await first.has(PAUSE);
    await second.has(100_000);
    await takeOut(image.id);
    second.resume();
    await expectImage(first, image);
    await expectImage(second, image);
    await committed(image.id);
    await expectCalls(...asks(image.id), ...asks(image.id), ...calls(image.id), file(image.id));
  });

  it("is no reason to give out what is no more: the next download stores it anew", async () => {
    const image = await keptImage({ size: 700_000 });
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
});

describe("pruning", () => {
  const env = { CACHE_MAX_BYTES: "0" };
  const prune = async () => expectJson(await manage("POST /v2/cache/prune", { env }));
  const NOTHING = { total_files_pruned: 0, total_bytes_pruned: 0 };

  it("spares an image that a client reads, and takes it when it is not in use any more", async () => {
    const image = await keptImage({ size: SIZE });
    const reader = await start(image.id, { pauseAt: PAUSE });
    await expect.poll(() => cacheList(), { timeout: 5_000 }).toMatchObject({ cached_images: [{ hits: 1 }] });
    expect(await prune()).toEqual(NOTHING);
    reader.resume();
    await expectImage(reader, image);
    await settled();
    await bindings.CATALOG.prepare("UPDATE images SET in_use_until = 0").run();
    expect(await prune()).toEqual({ total_files_pruned: 1, total_bytes_pruned: SIZE });
    expect(await keysOf(image)).toEqual([]);
    await expectCalls(...asks(image.id));
  });

  it("spares an image that was just filled: those who followed it go on reading", async () => {
    const image = await createImage({ size: SIZE });
    const slow = await start(image.id, { pauseAt: PAUSE });
    await committed(image.id);
    expect(await prune()).toEqual(NOTHING);
    slow.resume();
    await expectImage(slow, image);
    await expectCalls(...asks(image.id), file(image.id));
  });

  it("and cleaning leave a running fill alone", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 1_500_000 });
    const reader = await start(image.id);
    await reader.has(PAUSE);
    expect(await prune()).toEqual(NOTHING);
    await expectEmpty(await manage("POST /v2/cache/clean", { env: { CLEAN_STALL_SECONDS: "60" } }), 200);
    await expectImage(reader, image);
    await committed(image.id);
    await expectCalls(...asks(image.id), file(image.id));
  });
});
