import { beforeEach, describe, expect, it } from "vitest";
import { cacheList, entryOf, expectEmpty, expectRefusal, MESSAGES, manage, manageIn } from "../support/manage.ts";
import {
  ask,
  asks,
  atOrigin,
  committed,
  createImage,
  download,
  expectCalls,
  goesOn,
  isCommitted,
  setFaults,
  settled,
  sha512,
  storedSlices,
} from "../support/scenario.ts";
import { emptyStore, queue } from "../support/store.ts";

beforeEach(emptyStore);

/** What the origin sees of one image that is queued: whether it is there, then its record and its data. */
const fetched = (id: string) => [...record(id), ...record(id), `GET /v2/images/${id}/file`, goesOn(id)];
const record = (id: string) => [`GET /v2/images/${id}`];

async function put(id: string): Promise<void> {
  await expectEmpty(await manage(`PUT /v2/cache/${id}`), 202);
}

describe("PUT /v2/cache/{id}", () => {
  it("fetches the image at once, without any client, with the rights of who asked for it", async () => {
    const image = await createImage({ size: 1_700_000 });
    await put(image.id);
    await committed(image.id);
    expect(await entryOf(image.id)).toMatchObject({ hits: 0, size: image.size });
    expect((await cacheList()).queued_images).toEqual([]);
    const calls = await expectCalls(...fetched(image.id));
    expect(calls.map(({ token }) => token)).toEqual(calls.map(() => "admin"));

    const hit = await download(image.id);
    expect(hit.headers.get("cache-status")).toBe("glance-edge; hit");
    expect(await sha512(await hit.arrayBuffer())).toBe(image.os_hash_value);
    await expectCalls(...asks(image.id));
  });

  it("is answered the same while the image is being fetched, and fetches it once", async () => {
    const image = await createImage({ size: 1_000_000 });
    await setFaults(image.id, { rate: 1_000_000 });
    await put(image.id);
    expect((await cacheList()).queued_images).toEqual([image.id]);
    await expect.poll(() => storedSlices(`blobs/sha512-${image.os_hash_value}/`), { timeout: 5_000 }).not.toEqual([]);
    await put(image.id);
    await put(image.id);
    expect((await cacheList()).queued_images).toEqual([image.id]);
    await committed(image.id);
    expect((await cacheList()).queued_images).toEqual([]);
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
    expect((await cacheList()).queued_images).toEqual([]);
    expect(await entryOf(image.id)).toEqual(entry);
    await expectCalls(...fetched(image.id), ...record(image.id));
  });

  it("of more images than are fetched at a time gets to all of them", async () => {
    const images = await Promise.all([1, 2, 3, 4, 5].map((n) => createImage({ size: n * 50_000 })));
    for (const { id } of images) await put(id);
    for (const { id } of images) await committed(id);
    expect((await cacheList()).queued_images).toEqual([]);
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
    await put(image.id);
    expect(await sha512(await response.arrayBuffer())).toBe(image.os_hash_value);
    await committed(image.id);
    expect((await cacheList()).queued_images).toEqual([]);
    await expectCalls(...asks(image.id), ...fetched(image.id));
  });

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
  }
  const fillOf = async (id: string): Promise<Fill | undefined> => {
    const { fills } = await (await manage("GET /v2/cache/fills")).json<{ fills: Fill[] }>();
    return fills.find(({ image_id }) => image_id === id);
  };

  it.each([
    ["without a digest", { size: 1_000, hash: "none" }, "the image's record states no digest that can be checked"],
    // Glance may say 0 of an image that has bytes (LP#900959).
    ["without a byte", { size: 0 }, "the image's record states no size"],
  ])("%s stays in the queue with the reason, and is tried again at once when queued again", async (_, of, reason) => {
    const image = await createImage(of);
    const failed = (attempts: number) => ({ state: "waiting", attempts, last_error: reason });
    await put(image.id);
    await expect.poll(() => fillOf(image.id), { timeout: 5_000 }).toMatchObject(failed(1));
    expect((await cacheList()).queued_images).toEqual([image.id]);
    await put(image.id);
    await expect.poll(() => fillOf(image.id), { timeout: 5_000 }).toMatchObject(failed(2));
    await expectCalls(...[1, 2, 3, 4].flatMap(() => record(image.id)));
  });

  it("does not hold up the others", async () => {
    const bad = await Promise.all([1, 2, 3].map(() => createImage({ size: 1_000, hash: "none" })));
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
