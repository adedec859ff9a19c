import { beforeEach, describe, expect, it } from "vitest";
import { keepLines } from "../../support/lines.ts";
import { cacheList, expectEmpty, expectRefusal, MESSAGES, manage, manageIn } from "../../support/manage.ts";
import {
  asks,
  atOrigin,
  cacheImage,
  committed,
  createImage,
  download,
  expectCalls,
  type Image,
  isCommitted,
  setFaults,
  settled,
  sha512,
} from "../../support/scenario.ts";
import { emptyStore, keysOf, queue, storeInParts } from "../../support/store.ts";

keepLines();

beforeEach(emptyStore);

const keys = ({ id }: Image) => keysOf(id);
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
  it("takes a stored image out, its object and its slices too, before it answers; the next download is a miss", async () => {
    const image = await stored();
    expect(await keys(image)).not.toEqual([]);
    await remove(image.id);
    expect(await cacheList()).toEqual({ cached_images: [], queued_images: [] });
    expect(await keys(image)).toEqual([]);
    await expectCalls();

    const miss = await download(image.id);
    expect(miss.headers.get("cache-status")).toBe("glance-edge; fwd=uri-miss; stored");
    expect(await sha512(await miss.arrayBuffer())).toBe(image.os_hash_value);
    await committed(image.id);
    await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file`);
  });

  it("takes a queued image out of the queue, and leaves the others there", async () => {
    const [one, two] = [await createImage({ size: 1_000 }), await createImage({ size: 1_000 })];
    await enqueue(one.id);
    await enqueue(two.id);
    await remove(one.id);
    expect((await cacheList()).queued_images).toEqual([two.id]);
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
    await expect.poll(() => keys(image), { timeout: 5_000 }).not.toEqual([]);
    await remove(image.id);
    await settled();
    await expect.poll(() => keys(image), { timeout: 5_000 }).toEqual([]);
    // As long as the rest would have taken, and the commit.
    await scheduler.wait(2_000);
    expect(await keys(image)).toEqual([]);
    expect(await isCommitted(image.id)).toBe(false);
    expect((await cacheList()).queued_images).toEqual([]);
    await expectCalls(record(image.id), record(image.id), `GET /v2/images/${image.id}/file`);
  });

  it("takes an image in parts out with all of them, and leaves another one alone", async () => {
    const [one, two] = [crypto.randomUUID(), crypto.randomUUID()];
    await storeInParts(one, 4);
    await storeInParts(two, 4);
    await remove(one);
    expect(await keysOf(one)).toEqual([]);
    expect(await keysOf(two)).toHaveLength(4);
    expect((await cacheList()).cached_images.map(({ image_id }) => image_id)).toEqual([two]);
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
    expect(await keys(image)).toEqual([]);
    const again = await manageIn("text", `DELETE /v2/cache/${image.id}`);
    await expectRefusal(again, "text", 404, MESSAGES.notFound(image.id));
    await expectCalls(record(image.id));
  });

  it("and so can one that is only queued", async () => {
    const id = crypto.randomUUID();
    await enqueue(id);
    await remove(id);
    expect((await cacheList()).queued_images).toEqual([]);
  });

  it("can't be by a member, not even by its former owner, and stays", async () => {
    const image = await orphan();
    const response = await manageIn("html", `DELETE /v2/cache/${image.id}`, { token: "demo" });
    await expectRefusal(response, "html", 403, MESSAGES.forbidden("cache_delete"));
    expect(await isCommitted(image.id)).toBe(true);
  });
});

describe("when the origin can't say whether an image is there", () => {
  const NOWHERE = { ORIGIN_URL: "http://127.0.0.1:9" };

  it.each([
    [500, 503, MESSAGES.unknownNow],
    [503, 503, MESSAGES.unknownNow],
    [401, 401, MESSAGES.unauthorized],
  ])("but answers with %i, one that the edge does not have is refused with %i", async (recordStatus, status, why) => {
    const image = await createImage({ size: 1_000 });
    await setFaults(image.id, { recordStatus });
    for (const method of ["DELETE", "PUT"]) {
      const response = await manageIn("json", `${method} /v2/cache/${image.id}`);
      await expectRefusal(response, "json", status, why);
    }
    expect((await cacheList()).queued_images).toEqual([]);
    await expectCalls(record(image.id), record(image.id));
  });

  it("because it is down, that is a bad gateway", async () => {
    const { id } = await createImage({ size: 1_000 });
    for (const method of ["DELETE", "PUT"]) {
      const response = await manage(`${method} /v2/cache/${id}`, { env: NOWHERE });
      expect(response.status).toBe(502);
      await response.arrayBuffer();
    }
    expect((await cacheList()).queued_images).toEqual([]);
  });

  it("what the edge has can be deleted all the same: it does not ask the origin", async () => {
    const image = await stored();
    const waiting = crypto.randomUUID();
    await enqueue(waiting);
    for (const id of [image.id, waiting]) {
      await expectEmpty(await manage(`DELETE /v2/cache/${id}`, { env: NOWHERE }), 204);
    }
    expect(await cacheList()).toEqual({ cached_images: [], queued_images: [] });
    expect(await keys(image)).toEqual([]);
    await expectCalls();
  });
});

describe("the place of an image that is taken out of the queue while it is being fetched", () => {
  it.each([["DELETE /v2/cache/{id}"], ["DELETE /v2/queued_images/{id}"]])(
    "is the next one's at once: %s",
    async (line) => {
      // Both places are taken by images that nobody fetches, so that none is freed but by this.
      const ids = [crypto.randomUUID(), crypto.randomUUID()];
      for (const [index, id] of ids.entries()) await queue.add(id, index + 1);
      expect(await queue.claim(2, Date.now())).toEqual(ids);
      const next = await createImage({ size: 1_000 });
      await expectEmpty(await manage(`PUT /v2/cache/${next.id}`), 202);
      await settled();
      expect((await cacheList()).queued_images).toEqual([...ids, next.id]);
      await (await manage(line.replace("{id}", ids[0] ?? ""))).arrayBuffer();
      await committed(next.id);
      const queued = async () => (await cacheList()).queued_images;
      await expect.poll(queued, { timeout: 5_000 }).toEqual([ids[1]]);
      await expectCalls(record(next.id), record(next.id), `GET /v2/images/${next.id}/file`);
    },
  );
});
