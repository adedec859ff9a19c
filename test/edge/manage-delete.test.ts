import { beforeEach, describe, expect, it } from "vitest";
import { cacheList, expectEmpty, expectRefusal, MESSAGES, manage, manageIn } from "../support/manage.ts";
import {
  asks,
  atOrigin,
  cacheImage,
  committed,
  createImage,
  download,
  expectCalls,
  goesOn,
  type Image,
  isCommitted,
  setFaults,
  settled,
  sha512,
  storedSlices,
} from "../support/scenario.ts";
import { emptyStore, queue } from "../support/store.ts";

beforeEach(emptyStore);

const slicesOf = ({ os_hash_value }: Image) => storedSlices(`blobs/sha512-${os_hash_value}/`);
const record = (id: string) => `GET /v2/images/${id}`;

async function stored(): Promise<Image> {
  const image = await createImage({ size: 700_000 });
  await cacheImage(image.id);
  return image;
}

/** Queued, with no turn of its own for a while. */
async function enqueue(id: string): Promise<void> {
  await queue.add(id, Date.now());
  await queue.postpone(id, "not yet", Date.now() + 3_600_000);
}

async function remove(id: string): Promise<void> {
  await expectEmpty(await manage(`DELETE /v2/cache/${id}`), 204);
}

describe("DELETE /v2/cache/{id}", () => {
  it("takes a stored image out, its slices too, before it answers; the next download is a miss", async () => {
    const image = await stored();
    expect(await slicesOf(image)).not.toEqual([]);
    await remove(image.id);
    expect(await cacheList()).toEqual({ cached_images: [], queued_images: [] });
    expect(await slicesOf(image)).toEqual([]);
    await expectCalls(record(image.id));

    const miss = await download(image.id);
    expect(miss.headers.get("cache-status")).toBe("glance-edge; fwd=uri-miss; stored");
    expect(await sha512(await miss.arrayBuffer())).toBe(image.os_hash_value);
    await committed(image.id);
    await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file`, goesOn(image.id));
  });

  it("takes a queued image out of the queue, and leaves the others there", async () => {
    const [one, two] = [await createImage({ size: 1_000 }), await createImage({ size: 1_000 })];
    await enqueue(one.id);
    await enqueue(two.id);
    await remove(one.id);
    expect((await cacheList()).queued_images).toEqual([two.id]);
    await expectCalls(record(one.id));
  });

  it.each(["active", "queued", "deactivated"])("is content with an image that is in neither: %s", async (status) => {
    const image = await createImage({ size: 1_000, status });
    await remove(image.id);
    await remove(image.id);
    await expectCalls(record(image.id), record(image.id));
  });

  it("ends what is being fetched for the queue, and nothing of it comes behind", async () => {
    const image = await createImage({ size: 3_000_000 });
    await setFaults(image.id, { rate: 1_500_000 });
    await expectEmpty(await manage(`PUT /v2/cache/${image.id}`), 202);
    await expect.poll(() => slicesOf(image), { timeout: 5_000 }).not.toEqual([]);
    await remove(image.id);
    await settled();
    await expect.poll(() => slicesOf(image), { timeout: 5_000 }).toEqual([]);
    // As long as the rest would have taken.
    await scheduler.wait(2_000);
    expect(await slicesOf(image)).toEqual([]);
    expect(await isCommitted(image.id)).toBe(false);
    expect((await cacheList()).queued_images).toEqual([]);
    const lines = [record(image.id), record(image.id), record(image.id)];
    await expectCalls(...lines, `GET /v2/images/${image.id}/file`, goesOn(image.id));
  });

  it("leaves another image its copy of the same content", async () => {
    const seed = 99;
    const [one, two] = [await createImage({ size: 300_000, seed }), await createImage({ size: 300_000, seed })];
    await cacheImage(one.id);
    await cacheImage(two.id);
    await remove(one.id);
    expect((await cacheList()).cached_images.map(({ image_id }) => image_id)).toEqual([two.id]);
    const hit = await download(two.id);
    expect(hit.headers.get("cache-status")).toBe("glance-edge; hit");
    expect(await sha512(await hit.arrayBuffer())).toBe(two.os_hash_value);
    await expectCalls(record(one.id), ...asks(two.id));
  });
});

describe("an image that Glance has deleted, and the edge still has,", () => {
  async function orphan(): Promise<Image> {
    const image = await stored();
    await (await atOrigin(`/v2/images/${image.id}`, { method: "DELETE" })).arrayBuffer();
    return image;
  }

  it("can be deleted by an admin, once", async () => {
    const image = await orphan();
    await remove(image.id);
    expect(await slicesOf(image)).toEqual([]);
    const again = await manageIn("text", `DELETE /v2/cache/${image.id}`);
    await expectRefusal(again, "text", 404, MESSAGES.notFound(image.id));
    await expectCalls(record(image.id), record(image.id));
  });

  it("and so can one that is only queued", async () => {
    const id = crypto.randomUUID();
    await enqueue(id);
    await remove(id);
    expect((await cacheList()).queued_images).toEqual([]);
    await expectCalls(record(id));
  });

  it("can't be by a member, not even by its former owner, and stays", async () => {
    const image = await orphan();
    const response = await manageIn("html", `DELETE /v2/cache/${image.id}`, { token: "demo" });
    await expectRefusal(response, "html", 403, MESSAGES.forbidden("cache_delete"));
    expect(await isCommitted(image.id)).toBe(true);
    await expectCalls(record(image.id));
  });
});

describe("when the origin can't say whether the image is there", () => {
  it.each([500, 503, 401])("with %i, nothing is done", async (recordStatus) => {
    const image = await stored();
    await setFaults(image.id, { recordStatus });
    for (const method of ["DELETE", "PUT"]) {
      const response = await manageIn("json", `${method} /v2/cache/${image.id}`);
      await expectRefusal(response, "json", 503, "The image service can't be asked about this image.");
    }
    expect(await isCommitted(image.id)).toBe(true);
    await expectCalls(record(image.id), record(image.id));
  });

  it("because it is down, that is a bad gateway, and nothing is done", async () => {
    const image = await stored();
    const response = await manage(`DELETE /v2/cache/${image.id}`, { env: { ORIGIN_URL: "http://127.0.0.1:9" } });
    expect(response.status).toBe(502);
    await response.arrayBuffer();
    expect(await isCommitted(image.id)).toBe(true);
  });
});
