import { beforeEach, describe, expect, it } from "vitest";
import { keepLines } from "../../support/lines.ts";
import { cacheList, expectJson, manage } from "../../support/manage.ts";
import { atOrigin, committed, createImage, expectCalls, settled } from "../../support/scenario.ts";
import { emptyStore, queue, storeImage } from "../../support/store.ts";

keepLines();

beforeEach(emptyStore);

const uuid = () => crypto.randomUUID();
/** What an admin gets. */
const get = async (line: string) => expectJson(await manage(line));

async function enqueue(id: string, at = Date.now()): Promise<void> {
  await queue.add(id, at);
  await queue.postpone(id, "not yet", Date.now() + 3_600_000);
}

describe("cached_images", () => {
  it("GET lists what GET /v2/cache lists, alone", async () => {
    expect(await get("GET /v2/cached_images")).toEqual({ cached_images: [] });
    await storeImage(uuid(), { size: 20, at: 1_700_000_000_000 });
    await enqueue(uuid());
    const { cached_images } = await cacheList();
    expect(cached_images).toHaveLength(1);
    expect(await get("GET /v2/cached_images")).toEqual({ cached_images });
  });

  it("DELETE of one takes it out, and is answered null whether it was there or not", async () => {
    const [one, two, queued] = [uuid(), uuid(), uuid()];
    await storeImage(one);
    await storeImage(two);
    await enqueue(queued);
    for (const id of [one, one, queued, uuid(), "nonsense", "clean"]) {
      const response = await manage(`DELETE /v2/cached_images/${id}`);
      expect([response.status, await response.text()]).toEqual([200, "null"]);
      expect(response.headers.get("content-type")).toBe("application/json");
    }
    const { cached_images, queued_images } = await cacheList();
    expect(cached_images.map(({ image_id }) => image_id)).toEqual([two]);
    expect(queued_images).toEqual([queued]);
    // Neither its existence nor anything else was asked about.
    await expectCalls();
  });

  it("DELETE of all says how many there were", async () => {
    for (const _ of [1, 2, 3]) await storeImage(uuid());
    await enqueue(uuid());
    expect(await get("DELETE /v2/cached_images")).toEqual({ num_deleted: 3 });
    expect(await get("DELETE /v2/cached_images")).toEqual({ num_deleted: 0 });
    expect(await cacheList()).toMatchObject({ cached_images: [], queued_images: [expect.any(String)] });
  });
});

describe("queued_images", () => {
  it("GET lists the queue alone, the oldest first", async () => {
    expect(await get("GET /v2/queued_images")).toEqual({ queued_images: [] });
    const [one, two] = [uuid(), uuid()];
    await enqueue(two, 2);
    await enqueue(one, 1);
    await storeImage(uuid());
    expect(await get("GET /v2/queued_images")).toEqual({ queued_images: [one, two] });
  });

  it("PUT fetches an image", async () => {
    const { id } = await createImage({ size: 100_000 });
    expect(await get(`PUT /v2/queued_images/${id}`)).toBeNull();
    await committed(id);
    await expect.poll(() => get("GET /v2/queued_images"), { timeout: 5_000 }).toEqual({ queued_images: [] });
    await expectCalls(`GET /v2/images/${id}`, `GET /v2/images/${id}/file`);
  });

  it("PUT takes an image that has no data yet, which waits until it has", async () => {
    const { id } = await createImage({ size: 1, status: "queued" });
    expect(await get(`PUT /v2/queued_images/${id}`)).toBeNull();
    const fills = () => get("GET /v2/cache/fills");
    const waits = { image_id: id, state: "waiting", attempts: 0, last_error: "the image's status is queued" };
    await expect.poll(fills, { timeout: 5_000 }).toMatchObject({ fills: [waits] });
    expect(await get("GET /v2/queued_images")).toEqual({ queued_images: [id] });
    await expectCalls(`GET /v2/images/${id}`);

    const headers = { "content-type": "application/octet-stream" };
    await (await atOrigin(`/v2/images/${id}/file`, { method: "PUT", headers, body: "data" })).arrayBuffer();
    expect(await get(`PUT /v2/queued_images/${id}`)).toBeNull();
    await committed(id);
    await expectCalls(`GET /v2/images/${id}`, `GET /v2/images/${id}/file`);
  });

  it.each([uuid(), "nonsense", "00000000"])("PUT of %s, that no image is, does no harm", async (id) => {
    expect(await get(`PUT /v2/queued_images/${id}`)).toBeNull();
    await settled();
    await expect.poll(() => get("GET /v2/queued_images"), { timeout: 5_000 }).toEqual({ queued_images: [] });
    await expectCalls(`*GET /v2/images/${id}`, "*GET /v2/images?limit=1");
  });

  it.each(["nonsense", "00000000", uuid().toUpperCase()])(
    "PUT of %s, that is no image's id, queues nothing",
    async (id) => {
      // Nothing that is queued has its turn.
      const others = [uuid(), uuid()];
      for (const [index, other] of others.entries()) await queue.add(other, index);
      await queue.claim(2, Date.now());
      expect(await get(`PUT /v2/queued_images/${id}`)).toBeNull();
      await settled();
      expect(await get("GET /v2/queued_images")).toEqual({ queued_images: others });
      await expectCalls();
    },
  );

  it("PUT of a stored image leaves the queue as it is", async () => {
    const id = uuid();
    await storeImage(id);
    expect(await get(`PUT /v2/queued_images/${id}`)).toBeNull();
    await settled();
    expect(await get("GET /v2/queued_images")).toEqual({ queued_images: [] });
    await expectCalls();
  });

  it("DELETE of one takes it out of the queue alone, and is answered null whether it was there or not", async () => {
    const [one, two] = [uuid(), uuid()];
    await storeImage(one);
    await enqueue(two);
    for (const id of [two, two, one, "nonsense"]) expect(await get(`DELETE /v2/queued_images/${id}`)).toBeNull();
    const { cached_images, queued_images } = await cacheList();
    expect([cached_images.map(({ image_id }) => image_id), queued_images]).toEqual([[one], []]);
    await expectCalls();
  });

  it("DELETE of all says how many there were", async () => {
    for (const _ of [1, 2]) await enqueue(uuid());
    await storeImage(uuid());
    expect(await get("DELETE /v2/queued_images")).toEqual({ num_deleted: 2 });
    expect(await get("DELETE /v2/queued_images")).toEqual({ num_deleted: 0 });
    expect((await cacheList()).cached_images).toHaveLength(1);
  });
});
