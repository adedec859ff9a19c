import { beforeEach, describe, expect, it } from "vitest";
import { bucketBut, fillClient, fillStub } from "../support/bindings.ts";
import { pullByHand } from "../support/hand-puller.ts";
import { cacheList, expectEmpty, expectJson, manage } from "../support/manage.ts";
import {
  bindings,
  createImage,
  expectCalls,
  goesOn,
  isCommitted,
  setFaults,
  settled,
  storedSlices,
} from "../support/scenario.ts";
import { emptyStore, generations, queue, storeImage } from "../support/store.ts";

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
    await settled();
    expect(await storedSlices()).toHaveLength(expected.startsWith("0") ? 0 : 15);
  });

  it("takes no word from the query", async () => {
    await expectEmpty(await manage("DELETE /v2/cache?x-image-cache-clear-target=queue"), 204);
    expect(await left()).toBe("0 cached, 0 queued");
  });

  it("of an empty cache is a success as well", async () => {
    await emptyStore();
    await expectEmpty(await manage("DELETE /v2/cache"), 204);
  });

  it("empties a cache of more images than one transaction takes, gives their room back, and counts them", async () => {
    await emptyStore();
    const ids = JSON.stringify(Array.from({ length: 1_050 }, () => crypto.randomUUID()));
    const { CATALOG } = bindings;
    await CATALOG.batch([
      CATALOG.prepare(
        `INSERT INTO blobs (blob, generation, size, slice_bytes, etags, verified_at, committed_at)
         SELECT 'sha256-' || value, value, 1, 16, 'etag', 1, 1 FROM json_each(?1)`,
      ).bind(ids),
      CATALOG.prepare(
        "INSERT INTO images (image_id, blob, committed_at) SELECT value, 'sha256-' || value, 1 FROM json_each(?1)",
      ).bind(ids),
    ]);
    // They have no slices, which R2 need not say a thousand times.
    const env = { BUCKET: bucketBut({ list: async () => ({ objects: [], truncated: false }) }) };
    expect(await expectJson(await manage("DELETE /v2/cached_images", { env }))).toEqual({ num_deleted: 1_050 });
    expect(await left()).toBe("0 cached, 0 queued");
    await settled();
    expect(await CATALOG.prepare("SELECT COUNT(*) AS n FROM generations").first("n")).toBe(0);
  });

  it.each(["DELETE /v2/cache", "DELETE /v2/cached_images"])("%s ends a fill that nobody uses", async (line) => {
    const image = await createImage({ size: 2_000_000 });
    const { turn, reader, store } = await pullByHand(image);
    await store(0);
    await fillStub(image.id).left(reader);
    // The background leaves it alone for some seconds.
    await fillStub(image.id).release(turn.lease, turn.generation, true);
    await (await manage(line)).arrayBuffer();
    await settled();
    expect(await fillClient(image.id).progress()).toEqual({ fill: "none" });
    expect(await storedSlices(`blobs/sha512-${image.os_hash_value}/`)).toEqual([]);
    expect(await generations.room()).toEqual({ committed: 0, filling: 0, removing: 0 });
  });

  it.each([
    ["queue", false],
    ["cache", true],
    ["", false],
  ])("with the target %j ends what is being fetched for the queue, unless that stays: %s", async (target, goes) => {
    const image = await createImage({ size: 2_000_000 });
    await setFaults(image.id, { rate: 2_000_000 });
    await expectEmpty(await manage(`PUT /v2/cache/${image.id}`), 202);
    const slices = () => storedSlices(`blobs/sha512-${image.os_hash_value}/`);
    await expect.poll(slices, { timeout: 5_000 }).not.toEqual([]);
    await expectEmpty(await manage("DELETE /v2/cache", { headers: { "x-image-cache-clear-target": target } }), 204);
    await settled();
    if (goes) {
      await expect.poll(() => isCommitted(image.id), { timeout: 10_000 }).toBe(true);
    } else {
      await expect.poll(slices, { timeout: 5_000 }).toEqual([]);
      // As long as the rest would have taken.
      await scheduler.wait(1_500);
      expect(await slices()).toEqual([]);
      expect(await isCommitted(image.id)).toBe(false);
    }
    const record = `GET /v2/images/${image.id}`;
    await expectCalls(record, record, `${record}/file`, goesOn(image.id));
  });
});
