import { beforeEach, describe, expect, it } from "vitest";
import { runUpkeep } from "../../../src/upkeep/cron.ts";
import { SOON } from "../../support/fills.ts";
import { keepLines } from "../../support/lines.ts";
import { cacheList, entryOf, expectEmpty, expectRefusal, MESSAGES, manage, manageIn } from "../../support/manage.ts";
import { edgeBefore, sharedOrigin } from "../../support/own-origin.ts";
import {
  ask,
  asks,
  atOrigin,
  bindings,
  committed,
  control,
  createImage,
  download,
  expectCalls,
  isCommitted,
  setFaults,
  settled,
  sha512,
  takeCalls,
} from "../../support/scenario.ts";
import { emptyStore, keysOf, queue } from "../../support/store.ts";

const lines = keepLines();

beforeEach(emptyStore);

/** What the origin sees of one image that is queued: whether it is there, then its record and its data. */
const fetched = (id: string) => [...record(id), ...record(id), `GET /v2/images/${id}/file`];
const record = (id: string) => [`GET /v2/images/${id}`];
const queuedImages = async () => (await cacheList()).queued_images;

async function put(id: string): Promise<void> {
  await expectEmpty(await manage(`PUT /v2/cache/${id}`), 202);
}

describe("PUT /v2/cache/{id}", () => {
  it("fetches the image at once, without any client, with the rights of who asked for it", async () => {
    const image = await createImage({ size: 1_700_000 });
    await put(image.id);
    await committed(image.id);
    expect(await entryOf(image.id)).toMatchObject({ hits: 0, size: image.size });
    await expect.poll(queuedImages, SOON).toEqual([]);
    const calls = await expectCalls(...fetched(image.id));
    expect(calls.map(({ token }) => token)).toEqual(calls.map(() => "admin"));

    const hit = await download(image.id);
    expect(hit.headers.get("cache-status")).toBe("glance-edge; hit");
    expect(await sha512(await hit.arrayBuffer())).toBe(image.os_hash_value);
    await expectCalls(...asks(image.id));
  });

  it("is answered the same while the image is being fetched, and fetches it once", async () => {
    const image = await createImage({ size: 4_000_000 });
    await setFaults(image.id, { rate: 1_000_000 });
    await put(image.id);
    expect((await cacheList()).queued_images).toEqual([image.id]);
    await expect.poll(() => keysOf(image.id), SOON).not.toEqual([]);
    await put(image.id);
    await put(image.id);
    expect((await cacheList()).queued_images).toEqual([image.id]);
    await committed(image.id);
    await expect.poll(queuedImages, SOON).toEqual([]);
    await expectCalls(...fetched(image.id), ...record(image.id), ...record(image.id));
  });

  it("is answered the same when the image is stored, and asks the origin for nothing more", async () => {
    const image = await createImage({ size: 100_000 });
    await put(image.id);
    await committed(image.id);
    await settled();
    const entry = await entryOf(image.id);
    await put(image.id);
    await settled();
    await expect.poll(queuedImages, SOON).toEqual([]);
    expect(await entryOf(image.id)).toEqual(entry);
    await expectCalls(...fetched(image.id), ...record(image.id));
  });

  it("of more images than are fetched at a time gets to all of them", async () => {
    const images = await Promise.all([1, 2, 3, 4, 5].map((n) => createImage({ size: n * 50_000 })));
    for (const { id } of images) await put(id);
    for (const { id } of images) await committed(id);
    await expect.poll(queuedImages, SOON).toEqual([]);
    await expectCalls(...images.flatMap(({ id }) => fetched(id)));
  });

  it("fetches what was stored once, and was deleted from the cache, again", async () => {
    const image = await createImage({ size: 100_000 });
    await put(image.id);
    await committed(image.id);
    await expectEmpty(await manage(`DELETE /v2/cache/${image.id}`), 204);
    expect(await isCommitted(image.id)).toBe(false);
    await put(image.id);
    await committed(image.id);
    await expectCalls(...fetched(image.id), ...fetched(image.id));
  });

  it("joins the fill of a download that runs: the image comes from the origin once", async () => {
    const image = await createImage({ size: 1_500_000 });
    await setFaults(image.id, { rate: 1_500_000 });
    const response = await download(image.id);
    await expect.poll(() => keysOf(image.id), SOON).not.toEqual([]);
    await put(image.id);
    expect(await sha512(await response.arrayBuffer())).toBe(image.os_hash_value);
    await committed(image.id);
    await expect.poll(queuedImages, SOON).toEqual([]);
    await expectCalls(...asks(image.id), ...fetched(image.id));
  });

  it("of a small image, stored at once, has it listed as queued for two seconds all the same", async () => {
    const image = await createImage({ size: 1_024 });
    const since = Date.now();
    await put(image.id);
    await committed(image.id);
    let last = since;
    while ((await queuedImages()).includes(image.id)) {
      last = Date.now();
      await scheduler.wait(20);
    }
    // Stored, and queued as well for whoever looks there.
    expect((await cacheList()).cached_images).toMatchObject([{ image_id: image.id }]);
    expect(last - since).toBeGreaterThan(1_500);
    expect(Date.now() - since).toBeGreaterThanOrEqual(2_000);
    // With the cron's next look its row is gone as well.
    await queueMoved();
    expect(await queue.has(image.id)).toBe(false);
    await expectCalls(...fetched(image.id));
  });

  it("of a small image that is deleted from the cache at once does not fetch it again", async () => {
    const image = await createImage({ size: 1_024 });
    await put(image.id);
    await committed(image.id);
    await expectEmpty(await manage("DELETE /v2/cache", { headers: { "x-image-cache-clear-target": "cache" } }), 204);
    await queueMoved();
    expect(await isCommitted(image.id)).toBe(false);
    await expectCalls(...fetched(image.id));
  });

  /** The cron's look at the queue, and time for what it began. */
  async function queueMoved(): Promise<void> {
    await runUpkeep(edgeBefore(sharedOrigin(), null), "* * * * *");
    await scheduler.wait(500);
    expect(lines("upkeep.prefetch")).toMatchObject([{ started: 0, lost: 0, queued: 0 }]);
  }

  it("of an image that Glance has deleted since is a 404, though the edge still has it", async () => {
    const image = await createImage({ size: 100_000 });
    await put(image.id);
    await committed(image.id);
    await (await atOrigin(`/v2/images/${image.id}`, { method: "DELETE" })).arrayBuffer();
    const response = await manageIn("json", `PUT /v2/cache/${image.id}`);
    await expectRefusal(response, "json", 404, MESSAGES.notFound(image.id));
    expect(await isCommitted(image.id)).toBe(true);
    await expectCalls(...fetched(image.id), ...record(image.id));
  });
});

describe("a queued image that can't be fetched", () => {
  interface Fill {
    readonly image_id: string;
    readonly attempts: number;
    readonly not_before: number;
  }
  const fillOf = async (id: string): Promise<Fill | undefined> => {
    const { fills } = await (await manage("GET /v2/cache/fills")).json<{ fills: Fill[] }>();
    return fills.find(({ image_id }) => image_id === id);
  };

  it.each([
    ["without a digest", { size: 1_000, hash: "none" }, "the image's record states no digest that can be checked", 0],
    // Glance may say 0 of an image that has bytes (LP#900959).
    ["without a byte", { size: 0 }, "the image's record states no size", 1],
  ])(
    "%s stays in the queue with the reason, and is tried again at once when queued again",
    async (_, of, why, counts) => {
      const image = await createImage(of);
      const failed = (attempts: number) => ({ state: "waiting", attempts, last_error: why });
      await put(image.id);
      await expect.poll(() => fillOf(image.id), SOON).toMatchObject(failed(counts));
      expect((await cacheList()).queued_images).toEqual([image.id]);
      const { not_before: before } = (await fillOf(image.id)) ?? { not_before: 0 };
      expect(before * 1000 - Date.now()).toBeLessThanOrEqual(60_000);
      await scheduler.wait(5);
      await put(image.id);
      const later = async () => ((await fillOf(image.id))?.not_before ?? 0) > before;
      await expect.poll(later, SOON).toBe(true);
      expect(await fillOf(image.id)).toMatchObject(failed(2 * counts));
      await expectCalls(...[1, 2, 3, 4].flatMap(() => record(image.id)));
    },
  );

  it("since its hash is computed only after it is active is fetched once it has one, and counts no failure", async () => {
    const image = await createImage({ size: 1_000 });
    await control("PUT", `/images/${image.id}`, { size: 1_000, seed: 1, hash: "none" });
    await put(image.id);
    const look = { state: "waiting", attempts: 0 };
    await expect.poll(() => fillOf(image.id), SOON).toMatchObject(look);
    await control("PUT", `/images/${image.id}`, { size: 1_000, seed: 1 });
    await minuteLater();
    await committed(image.id);
    await takeCalls();
  });

  /** What waits has its turn with the next run of the cron. */
  async function minuteLater(): Promise<void> {
    await bindings.CATALOG.prepare("UPDATE queue SET not_before = not_before - 60000").run();
    await runUpkeep(edgeBefore(sharedOrigin(), null), "* * * * *");
  }

  it("does not hold up the others", async () => {
    const bad = await Promise.all([1, 2, 3].map(() => createImage({ size: 0 })));
    const good = await createImage({ size: 1_000 });
    for (const { id } of [...bad, good]) await put(id);
    await committed(good.id);
    for (const { id } of bad) await expect.poll(() => fillOf(id), { timeout: 5_000 }).toMatchObject({ attempts: 1 });
    await expectCalls(...bad.flatMap(({ id }) => [...record(id), ...record(id)]), ...fetched(good.id));
  });

  it("leaves the queue when it is deleted through the edge", async () => {
    const image = await createImage({ size: 1_000 });
    await queue.add(image.id, Date.now());
    await queue.postpone(image.id, "not yet", Date.now() + 60_000);
    const response = await ask(`/v2/images/${image.id}`, { method: "DELETE" });
    expect(response.status).toBe(204);
    await response.arrayBuffer();
    expect((await cacheList()).queued_images).toEqual([]);
    await expectCalls(`DELETE /v2/images/${image.id}`);
  });
});
