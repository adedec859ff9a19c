import { beforeEach, describe, expect, it } from "vitest";
import { keepLines } from "../../support/lines.ts";
import { cacheList, entryOf, expectJson, manage } from "../../support/manage.ts";
import { cacheImage, createImage } from "../../support/scenario.ts";
import { emptyStore, queue, storeImage, storeInParts } from "../../support/store.ts";

keepLines();

beforeEach(emptyStore);

describe("GET /v2/cache", () => {
  it("is two empty lists at first", async () => {
    expect(await expectJson(await manage("GET /v2/cache"))).toEqual({ cached_images: [], queued_images: [] });
  });

  it("describes a stored image that nobody has read with numbers only, its times in seconds of the epoch", async () => {
    const image = await createImage({ size: 123_457 });
    const before = Date.now() / 1000;
    await cacheImage(image.id);
    const after = Date.now() / 1000;
    const [entry, ...more] = (await cacheList()).cached_images;
    expect(more).toEqual([]);
    expect(entry).toEqual({
      image_id: image.id,
      hits: 0,
      last_accessed: expect.any(Number),
      last_modified: expect.any(Number),
      size: 123_457,
    });
    expect(entry?.last_modified).toBeGreaterThanOrEqual(before);
    expect(entry?.last_modified).toBeLessThanOrEqual(after);
    expect(entry?.last_accessed).toBe(entry?.last_modified);
  });

  it("has queued images as bare ids, the oldest first, and nothing besides the two lists", async () => {
    const [one, two, three] = [crypto.randomUUID(), crypto.randomUUID(), crypto.randomUUID()];
    await queue.add(two, 2_000);
    await queue.add(three, 3_000);
    await queue.add(one, 1_000);
    await queue.postpone(two, "not yet", Date.now() + 60_000);
    // glanceclient takes any further key for another list of queued images.
    expect(await expectJson(await manage("GET /v2/cache"))).toEqual({
      cached_images: [],
      queued_images: [one, two, three],
    });
  });

  it("lists each of two images, one in parts, with the size of the image", async () => {
    const ids = [crypto.randomUUID(), crypto.randomUUID()];
    await storeImage(ids[0] ?? "", { size: 100, at: 1_700_000_000_250 });
    await storeInParts(ids[1] ?? "", 30, { size: 100, at: 1_700_000_000_250 });
    const { cached_images } = await cacheList();
    expect(cached_images.map(({ image_id }) => image_id).sort()).toEqual([...ids].sort());
    for (const entry of cached_images) {
      expect(entry).toMatchObject({ size: 100, last_modified: 1_700_000_000.25, last_accessed: 1_700_000_000.25 });
    }
  });

  it("tells of an image of no bytes", async () => {
    const id = crypto.randomUUID();
    await storeImage(id, { size: 0 });
    expect(await entryOf(id)).toMatchObject({ hits: 0, size: 0 });
  });

  it.each(["text/html", "image/png", "application/json;q=0"])(
    "is JSON for a client that accepts %s, too",
    async (accept) => {
      await expectJson(await manage("GET /v2/cache", { headers: { accept } }));
    },
  );

  it.each(["?limit=1", "?", "?x=/v2/images"])("does not care about a query: %s", async (query) => {
    await expectJson(await manage(`GET /v2/cache${query}`));
  });

  it("holds as many images as there are", async () => {
    const ids = Array.from({ length: 15 }, () => crypto.randomUUID());
    for (const [index, id] of ids.entries()) await storeImage(id, { at: index });
    expect((await cacheList()).cached_images.map(({ image_id }) => image_id)).toEqual(ids);
  });
});
