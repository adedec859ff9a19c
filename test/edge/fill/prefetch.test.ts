import { beforeEach, describe, expect, it } from "vitest";
import type { Progress } from "../../../src/fill/protocol.ts";
import type { Env } from "../../../src/settings.ts";
import { fillClient } from "../../support/bindings.ts";
import { catalog, expectRoom, slicesOf, smallEdge, storedIds } from "../../support/cap.ts";
import { SOON } from "../../support/fills.ts";
import { keepLines } from "../../support/lines.ts";
import { catalogThat } from "../../support/manage.ts";
import {
  advance,
  backgroundCalls,
  backgroundPulls,
  bytesOf,
  emptyQueue,
  enqueue,
  queue,
  queued,
  serviceAccount,
} from "../../support/prefetching.ts";
import { expectImage, startReader } from "../../support/readers.ts";
import {
  ask,
  asks,
  committed,
  createImage,
  expectCalls,
  type Image,
  setFaults,
  settled,
} from "../../support/scenario.ts";
import { keysOf } from "../../support/store.ts";

const MB = 1_000_000;
const attemptOf = async ({ id }: Image) => (await catalog.after("", 99)).find(({ imageId }) => imageId === id)?.attempt;

keepLines();

beforeEach(async () => {
  await smallEdge(100 * MB, { ...serviceAccount("admin"), PREFETCH_CONCURRENCY: "2" });
});

/** So many images that take the origin a while each. */
async function slowImages(count: number, rate = 2 * MB): Promise<Image[]> {
  const images = await Promise.all(Array.from({ length: count }, () => createImage({ size: MB })));
  await Promise.all(images.map((image) => setFaults(image.id, { rate })));
  return images;
}

/** A catalog that waits before it answers a statement which begins so. */
function catalogBefore(start: string, pause: () => Promise<void>): Env["CATALOG"] {
  return catalogThat((sql) => (sql.startsWith(start) ? pause() : Promise.resolve())).CATALOG;
}

async function progressOf({ id }: Image): Promise<Progress | null> {
  const look = await fillClient(id).progress();
  return look.fill === "running" ? look.progress : null;
}

describe("queued images", () => {
  it("are stored without any client, oldest first, one after the other", async () => {
    await smallEdge(100 * MB, { ...serviceAccount("admin"), PREFETCH_CONCURRENCY: "1" });
    const images = await slowImages(4, 10 * MB);
    await enqueue(images);
    expect(await advance(1)).toBe(1);
    await emptyQueue();
    expect(await storedIds()).toEqual(new Set(images.map(({ id }) => id)));
    const pulls = await backgroundPulls(...images);
    expect(pulls.map(({ path }) => path)).toEqual(images.map(({ id }) => `/v2/images/${id}/file`));
    expect(bytesOf(pulls)).toBe(4 * MB);
    for (const image of images) {
      const hit = await startReader(image.id);
      expect(hit.cacheStatus).toBe("glance-edge; hit");
      await expectImage(hit, image);
      await expectCalls(...asks(image.id));
    }
    await settled();
  });

  it("are fetched PREFETCH_CONCURRENCY at a time, the next as soon as one is done", async () => {
    // Slow enough to be seen side by side on a busy machine too.
    const images = await slowImages(5, MB / 2);
    await enqueue(images);
    expect(await advance()).toBe(2);
    let most = 0;
    for (const deadline = Date.now() + 50_000; (await queue.list()).length > 0 && Date.now() < deadline; ) {
      const running = (await backgroundPulls(...images)).filter(({ bytes }) => bytes < MB).length;
      most = Math.max(most, running);
      expect((await queue.list()).filter(({ startedAt }) => startedAt !== null).length).toBeLessThanOrEqual(2);
      await scheduler.wait(20);
    }
    expect(most).toBe(2);
    expect(await storedIds()).toEqual(new Set(images.map(({ id }) => id)));
  });

  it.each([
    ["have no record", { recordStatus: 500 }],
    ["have wrong data", { corruptAt: 5 }],
  ])("that fail because they %s give way to the next at once", async (_, faults) => {
    await smallEdge(100 * MB, { ...serviceAccount("admin"), PREFETCH_CONCURRENCY: "1" });
    const [bad, good] = [await createImage({ size: MB }), await createImage({ size: MB })];
    await setFaults(bad.id, faults);
    await enqueue([bad, good]);
    expect(await advance(1)).toBe(1);
    await committed(good.id);
    expect((await queue.list()).map(({ imageId, attempts }) => [imageId, attempts])).toEqual([[bad.id, 1]]);
  });

  it("that are claimed by two at once are started once", async () => {
    const images = await slowImages(2);
    await enqueue(images);
    const started = await Promise.all([advance(), advance(), advance()]);
    expect(started.reduce((sum, count) => sum + count, 0)).toBe(2);
    await emptyQueue();
    expect(await backgroundPulls(...images)).toHaveLength(2);
  });

  it("that are stored already leave the queue without a transfer", async () => {
    const [image] = await slowImages(1);
    if (image === undefined) throw new Error("no image");
    await enqueue([image]);
    await expectImage(await startReader(image.id), image);
    await settled();
    await committed(image.id);
    expect(await queued(image)).toBeNull();
    // Queued by an edge whose index does not know it.
    await catalog.remove(image.id);
    await enqueue([image]);
    await advance();
    await emptyQueue();
    // The download's own fill, and the look at the record.
    expect(await backgroundPulls(image)).toHaveLength(1);
    expect(await backgroundCalls(image)).toHaveLength(2);
    await expectCalls(...asks(image.id));
  });

  it("that are out of the cache again, while their Fill still has their slices, are fetched anew", async () => {
    const image = await createImage({ size: MB });
    await enqueue([image]);
    await advance();
    await emptyQueue();
    const before = await attemptOf(image);
    expect(await progressOf(image)).toMatchObject({ state: "kept" });
    expect(await fillClient(image.id).remove("unless-read")).toBe("removed");
    await enqueue([image]);
    await advance();
    await emptyQueue();
    await committed(image.id);
    expect(await attemptOf(image)).not.toBe(before);
    expect(await backgroundPulls(image)).toHaveLength(2);
  });
});

describe("the progress of a queued image", () => {
  it("counts the bytes that are stored, of all", async () => {
    const image = await createImage({ size: 3 * MB });
    await setFaults(image.id, { rate: 3 * MB });
    expect(await progressOf(image)).toBeNull();
    await enqueue([image]);
    expect(await progressOf(image)).toBeNull();
    await advance();
    const stored = async () => (await progressOf(image))?.bytesStored ?? 0;
    await expect.poll(stored, SOON).toBeGreaterThan(0);
    const midway = await progressOf(image);
    expect(midway).toMatchObject({ state: "filling", size: 3 * MB, readers: 0, queued: true });
    expect(midway?.bytesStored).toBeLessThan(3 * MB);
    await committed(image.id);
    expect(await progressOf(image)).toMatchObject({ state: "kept", bytesStored: 3 * MB, queued: false });
  });
});

describe("a queued image that is being fetched", () => {
  it("is shared with the clients that download it meanwhile: the origin sends it once", async () => {
    const [image] = await slowImages(1, MB);
    if (image === undefined) throw new Error("no image");
    await enqueue([image]);
    await advance();
    await expect.poll(() => slicesOf(image), SOON).not.toEqual([]);
    const readers = await Promise.all([startReader(image.id), startReader(image.id)]);
    for (const reader of readers) {
      expect(reader.cacheStatus).toBe("glance-edge; fwd=uri-miss; collapsed");
      await expectImage(reader, image);
    }
    await settled();
    await committed(image.id);
    expect(await queued(image)).toBeNull();
    expect(bytesOf(await backgroundPulls(image))).toBe(MB);
    await expectCalls(...asks(image.id), ...asks(image.id));
  });

  it("that a client's download fills already is left to it, and leaves the queue with its commit", async () => {
    const [image] = await slowImages(1, MB);
    if (image === undefined) throw new Error("no image");
    const reader = await startReader(image.id);
    await reader.has(100_000);
    await enqueue([image]);
    await advance();
    await expectImage(reader, image);
    await settled();
    await committed(image.id);
    expect(await queued(image)).toBeNull();
    expect(await backgroundPulls(image)).toHaveLength(1);
    await expectCalls(...asks(image.id));
  });

  it.each<[string, (image: Image) => string, Partial<Env>]>([
    ["deleted at the origin through the edge", ({ id }) => `DELETE /v2/images/${id}`, {}],
    ["taken out by an admin", ({ id }) => `DELETE /v2/cache/${id}`, serviceAccount("admin")],
    ["cleared from the queue with all others", () => "DELETE /v2/cache", serviceAccount("admin")],
    ["taken out in the legacy form", ({ id }) => `DELETE /v2/queued_images/${id}`, serviceAccount("admin")],
  ])("is not fetched when it is %s while its record is being read", async (_, line, account) => {
    const [image] = await slowImages(1);
    if (image === undefined) throw new Error("no image");
    // The origin's word about it comes only when the image has left the queue.
    const [asked, gone] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const CATALOG = catalogBefore("SELECT 1 FROM queue", async () => {
      asked.resolve();
      await gone.promise;
    });
    await smallEdge(100 * MB, { ...serviceAccount("admin"), CATALOG });
    await enqueue([image]);
    expect(await advance()).toBe(1);
    await asked.promise;
    const [method = "", path = ""] = line(image).split(" ");
    const response = await ask(path, { method, token: "admin", env: account });
    expect(response.ok).toBe(true);
    await response.arrayBuffer();
    await settled();
    expect(await queued(image)).toBeNull();
    gone.resolve();
    await scheduler.wait(300);
    expect(await fillClient(image.id).progress()).toEqual({ fill: "none" });
    expect(await backgroundPulls(image)).toEqual([]);
    await expectRoom(0);
    await expectCalls(...(path.startsWith("/v2/images") ? [`DELETE ${path}`] : []));
  });

  it("is not fetched when a client's download has committed it while its record was being read", async () => {
    const image = await createImage({ size: MB });
    const [asked, done] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const CATALOG = catalogBefore("SELECT 1 FROM queue", async () => {
      asked.resolve();
      await done.promise;
    });
    await smallEdge(100 * MB, { ...serviceAccount("admin"), CATALOG });
    await enqueue([image]);
    await advance();
    await asked.promise;
    await expectImage(await startReader(image.id), image);
    await settled();
    await committed(image.id);
    const before = await attemptOf(image);
    done.resolve();
    await emptyQueue();
    await scheduler.wait(300);
    expect(await backgroundPulls(image)).toHaveLength(1);
    expect(await attemptOf(image)).toBe(before);
    expect((await keysOf(image.id)).filter((key) => key.startsWith("images/"))).toHaveLength(1);
    await expectCalls(...asks(image.id));
  });

  it("and is deleted leaves nothing behind, in the queue and in the store", async () => {
    const [image, next] = await slowImages(2, MB);
    if (image === undefined || next === undefined) throw new Error("no images");
    await enqueue([image]);
    await advance();
    await expect.poll(() => slicesOf(image), SOON).not.toEqual([]);
    const response = await ask(`/v2/images/${image.id}`, { method: "DELETE" });
    expect(response.status).toBe(204);
    await settled();
    expect(await queued(image)).toBeNull();
    await expect.poll(() => slicesOf(image), SOON).toEqual([]);
    await scheduler.wait(500);
    expect(await keysOf(image.id)).toEqual([]);
    expect(await storedIds()).toEqual(new Set());
    await expectRoom(0);
    await expectCalls(`DELETE /v2/images/${image.id}`);
    // Its place is free.
    await enqueue([next]);
    expect(await advance(1)).toBe(1);
    await committed(next.id);
  });
});
