import { beforeEach, describe, expect, it } from "vitest";
import { runUpkeep } from "../../../src/upkeep/cron.ts";
import { fillClient } from "../../support/bindings.ts";
import { SOON } from "../../support/fills.ts";
import { keepLines } from "../../support/lines.ts";
import { cacheList, expectEmpty, expectJson, manage } from "../../support/manage.ts";
import { edgeBefore, ownOrigin } from "../../support/own-origin.ts";
import {
  asks,
  cacheImage,
  committed,
  createImage,
  download,
  expectCalls,
  isCommitted,
  setFaults,
  settled,
} from "../../support/scenario.ts";
import {
  catalog,
  emptyStore,
  indexOnly,
  keysOf,
  objectKeys,
  queue,
  room,
  storeImage,
  storeInParts,
} from "../../support/store.ts";
import { unreachableFills } from "../../support/upkeep.ts";

const lines = keepLines();
let cached: string[] = [];
let queued: string[] = [];

beforeEach(async () => {
  await emptyStore();
  cached = Array.from({ length: 3 }, () => crypto.randomUUID());
  queued = [crypto.randomUUID(), crypto.randomUUID()];
  for (const [index, id] of cached.entries()) await storeImage(id, { at: index });
  for (const [index, id] of queued.entries()) {
    await queue.add(id, index);
    await queue.postpone(id, "not yet", Date.now() + 3_600_000);
  }
});

async function left(): Promise<string> {
  const { cached_images, queued_images } = await cacheList();
  return `${cached_images.length} cached, ${queued_images.length} queued`;
}

describe("DELETE /v2/cache", () => {
  it.each([
    [undefined, "0 cached, 0 queued"],
    ["", "0 cached, 0 queued"],
    [" ", "0 cached, 0 queued"],
    ["cache", "0 cached, 2 queued"],
    ["CACHE", "0 cached, 2 queued"],
    [" cache ", "0 cached, 2 queued"],
    ["queue", "3 cached, 0 queued"],
    ["Queue", "3 cached, 0 queued"],
  ])("with the target %j leaves %s", async (target, expected) => {
    const headers: Record<string, string> = target === undefined ? {} : { "x-image-cache-clear-target": target };
    await expectEmpty(await manage("DELETE /v2/cache", { headers }), 204);
    expect(await left()).toBe(expected);
    expect(await objectKeys()).toHaveLength(expected.startsWith("0") ? 0 : 3);
  });

  it("takes no word from the query", async () => {
    await expectEmpty(await manage("DELETE /v2/cache?x-image-cache-clear-target=queue"), 204);
    expect(await left()).toBe("0 cached, 0 queued");
  });

  it("of an empty cache is a success as well", async () => {
    await emptyStore();
    await expectEmpty(await manage("DELETE /v2/cache"), 204);
  });

  it("takes images in parts with all of them", async () => {
    await storeInParts(crypto.randomUUID(), 4);
    expect(await expectJson(await manage("DELETE /v2/cached_images"))).toEqual({ num_deleted: 4 });
    expect(await objectKeys()).toEqual([]);
    expect(await room.sums()).toEqual({ kept: 0, filling: 0 });
  });

  it.each([
    ["queue", false],
    ["cache", true],
    ["", false],
  ])("with the target %j ends what is being fetched for the queue, unless that stays: %s", async (target, goes) => {
    const image = await createImage({ size: 2_000_000 });
    await setFaults(image.id, { rate: 2_000_000 });
    await expectEmpty(await manage(`PUT /v2/cache/${image.id}`), 202);
    const keys = () => keysOf(image.id);
    await expect.poll(keys, SOON).not.toEqual([]);
    await expectEmpty(await manage("DELETE /v2/cache", { headers: { "x-image-cache-clear-target": target } }), 204);
    await settled();
    if (goes) {
      await expect.poll(() => isCommitted(image.id), SOON).toBe(true);
    } else {
      await expect.poll(keys, SOON).toEqual([]);
      // As long as the rest would have taken.
      await scheduler.wait(1_500);
      expect(await keys()).toEqual([]);
      expect(await isCommitted(image.id)).toBe(false);
    }
    const record = `GET /v2/images/${image.id}`;
    await expectCalls(record, record, `${record}/file`);
  });
});

describe("images whose Fills did not remove them within the request", () => {
  const env = { FILL: unreachableFills };
  const clear = async () => expectEmpty(await manage("DELETE /v2/cache", { env }), 204);

  it("are out of all lists at once, and out of the store with the next prune of the cron", async () => {
    await clear();
    expect(await left()).toBe("0 cached, 0 queued");
    expect(await objectKeys()).toHaveLength(3);
    expect(lines("cache.cleared")).toMatchObject([{ images: 3, removed: 0 }]);
    // They take room as long as they are there.
    expect(await room.sums()).toEqual({ kept: 30, filling: 0 });
    await runUpkeep(edgeBefore(ownOrigin(), null), "*/10 * * * *");
    expect(lines("upkeep.prune")).toMatchObject([{ cleared: 3, files: 0, kept: 0 }]);
    expect(await objectKeys()).toEqual([]);
    expect(await room.sums()).toEqual({ kept: 0, filling: 0 });
  });

  it("are counted once, however often the cache is cleared", async () => {
    expect(await expectJson(await manage("DELETE /v2/cached_images", { env }))).toEqual({ num_deleted: 3 });
    expect(await expectJson(await manage("DELETE /v2/cached_images", { env }))).toEqual({ num_deleted: 0 });
  });

  it("are in no list of nodes, and each can be deleted alone", async () => {
    const { id } = await createImage({ size: 10 });
    await storeImage(id);
    await clear();
    expect(await expectJson(await manage(`GET /v2/cache/nodes/${id}`))).toEqual([]);
    await expectCalls(`GET /v2/images/${id}`);
    expect(await expectJson(await manage(`DELETE /v2/cached_images/${id}`))).toBeNull();
    expect(await keysOf(id)).toEqual([]);
  });

  it("are fetched anew when they are queued, and stay then", async () => {
    const image = await createImage({ size: 100_000 });
    await cacheImage(image.id);
    const before = (await catalog.after("", 9)).find(({ imageId }) => imageId === image.id);
    await clear();
    await expectEmpty(await manage(`PUT /v2/cache/${image.id}`), 202);
    expect((await cacheList()).queued_images).toEqual([image.id]);
    await expect.poll(async () => (await cacheList()).cached_images.length, SOON).toBe(1);
    const after = (await catalog.after("", 9)).find(({ imageId }) => imageId === image.id);
    expect(after?.attempt).not.toBe(before?.attempt);
    await runUpkeep(edgeBefore(ownOrigin(), null), "*/10 * * * *");
    expect((await cacheList()).cached_images).toMatchObject([{ image_id: image.id }]);
    const record = `GET /v2/images/${image.id}`;
    await expectCalls(record, record, `${record}/file`);
  });

  it("are listed again when a download stores them anew", async () => {
    const image = await createImage({ size: 100_000 });
    await indexOnly([image.id]);
    await clear();
    await (await download(image.id)).arrayBuffer();
    await expect.poll(async () => (await cacheList()).cached_images.length, SOON).toBe(1);
    await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file`);
  });
});

it("a fill that clients read goes on when the cache is cleared, and its image is kept", async () => {
  const image = await createImage({ size: 1_500_000 });
  await setFaults(image.id, { rate: 1_500_000 });
  const response = await download(image.id);
  await expect.poll(() => keysOf(image.id), SOON).not.toEqual([]);
  await expectEmpty(await manage("DELETE /v2/cache"), 204);
  expect((await response.arrayBuffer()).byteLength).toBe(1_500_000);
  await committed(image.id);
  expect(await fillClient(image.id).progress()).toMatchObject({ fill: "running" });
  expect((await cacheList()).cached_images).toMatchObject([{ image_id: image.id }]);
  await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file`);
});
