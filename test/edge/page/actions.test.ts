/** What the page does: Glance's cache API under another address, with JSON for answers. */
import { beforeEach, describe, expect, it } from "vitest";
import { keepLines } from "../../support/lines.ts";
import { api, expectRefused, got, NO_CATALOG, sending } from "../../support/page.ts";
import { committed, createImage, setFaults, settled, takeCalls } from "../../support/scenario.ts";
import { catalog, emptyStore, imageIds, queue, storeImage } from "../../support/store.ts";

keepLines();
beforeEach(emptyStore);

const stranger = () => crypto.randomUUID();

describe("PUT queue/{id}", () => {
  it("fetches an image, under the rights of who asked", async () => {
    const image = await createImage({ size: 100_000 });
    expect(await got(`PUT queue/${image.id}`)).toEqual({});
    await settled();
    await committed(image.id);
    expect((await takeCalls()).map(({ token }) => token)).toContain("admin");
  });

  it("says of an image that is not there, or not active, what is wrong with it", async () => {
    const id = stranger();
    await expectRefused(await api(`PUT queue/${id}`), 404, new RegExp(`^Image ${id} not found.$`));
    const queued = await createImage({ size: 10, status: "queued" });
    await expectRefused(await api(`PUT queue/${queued.id}`), 400, /^Only images with status active/);
    await takeCalls();
  });

  it("says so when the origin can't be reached", async () => {
    const env = { ORIGIN_URL: "http://127.0.0.1:9" };
    await expectRefused(await api(`PUT queue/${stranger()}`, { env }), 502, /image service .* can't be reached/);
  });
});

it("DELETE images/{id} takes a stored image out of the cache", async () => {
  const { imageId } = await storeImage(stranger());
  expect(await got(`DELETE images/${imageId}`)).toEqual({});
  expect(await imageIds()).toEqual([]);
});

it("DELETE queue/{id} takes an image out of the queue, and leaves what is stored", async () => {
  const { imageId } = await storeImage(stranger());
  const queued = stranger();
  await queue.add(queued, 1);
  await queue.failed(queued, "not now", Date.now());
  expect(await got(`DELETE queue/${queued}`)).toEqual({});
  expect(await got(`DELETE queue/${imageId}`)).toEqual({});
  await settled();
  expect([await queue.has(queued), await imageIds()]).toEqual([false, [imageId]]);
});

describe("pins/{id}", () => {
  const pinned = async () =>
    (await got<{ rows: { pinned: string | null }[] }>("GET images")).rows.map((row) => row.pinned);

  it("PUT pins a stored image by hand, whatever its record says later, and DELETE takes any pin off", async () => {
    const { imageId, attempt, size } = await storeImage(stranger());
    const said = { imageId, name: null, owner: null, pinned: true };
    await catalog.reconciled([said], 1);
    expect(await pinned()).toEqual(["setting"]);
    expect(await got(`PUT pins/${imageId}`)).toEqual({});
    await catalog.reconciled([{ ...said, pinned: false }], 2);
    await catalog.keep({ imageId, attempt, size, pinned: false }, 3);
    expect(await pinned()).toEqual(["hand"]);
    expect((await catalog.candidates(1))[0]?.pinned).toBe(true);
    expect(await got(`DELETE pins/${imageId}`)).toEqual({});
    expect(await pinned()).toEqual([null]);
  });

  it("says of an image that is not stored that it is not, and while D1 is away that nobody knows", async () => {
    const id = stranger();
    await expectRefused(await api(`PUT pins/${id}`), 404, new RegExp(`^Image ${id} is not stored`));
    await expectRefused(await api(`PUT pins/${id}`, { env: NO_CATALOG }), 503, /index \(D1\)/);
  });
});

describe("POST clear", () => {
  it.each([
    ["cache", 0, 1],
    ["queue", 1, 0],
    ["all", 0, 0],
  ])("of %s", async (what, images, queued) => {
    await storeImage(stranger());
    await queue.add(stranger(), 1);
    expect(await got("POST clear", sending({ what }))).toEqual({});
    expect([(await catalog.list()).length, (await queue.counts()).queued]).toEqual([images, queued]);
  });

  it.each([{ what: "everything" }, {}, [], "cache"])("of %j clears nothing", async (body) => {
    await storeImage(stranger());
    await queue.add(stranger(), 1);
    await expectRefused(await api("POST clear", sending(body)), 400, /cache, queue or all/);
    expect([(await catalog.list()).length, (await queue.counts()).queued]).toEqual([1, 1]);
  });

  it("does not listen to the header that says it elsewhere", async () => {
    await storeImage(stranger());
    const { body } = sending({ what: "queue" });
    const headers = { "content-type": "application/json", "x-image-cache-clear-target": "cache" };
    await got("POST clear", { headers, body: body ?? null });
    expect(await catalog.list()).toHaveLength(1);
  });
});

it("POST prune tells what went", async () => {
  for (const at of [1, 2, 3]) await storeImage(stranger(), { size: 100, at });
  expect(await got("POST prune", { env: { CACHE_MAX_BYTES: "150" } })).toEqual({ files: 2, bytes: 200 });
  expect(await got("POST prune")).toEqual({ files: 0, bytes: 0 });
});

it("while D1 is away nothing is done, and the refusal says where the reason is", async () => {
  const { imageId } = await storeImage(stranger());
  const response = await api(`DELETE images/${imageId}`, { env: NO_CATALOG });
  await expectRefused(response, 503, /log has the reason under req-/);
  expect(await imageIds()).toEqual([imageId]);
});

it("an origin with a failure of its own is no failure of the edge's", async () => {
  const image = await createImage({ size: 10 });
  await setFaults(image.id, { recordStatus: 500 });
  await expectRefused(await api(`PUT queue/${image.id}`), 503, /can't be asked about this image/);
  await takeCalls();
});
