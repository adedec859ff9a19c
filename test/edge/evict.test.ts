import { describe, expect, it } from "vitest";
import {
  ask,
  asks,
  atOrigin,
  bindings,
  cacheImage,
  calls,
  createImage,
  download,
  expectCalls,
  isCommitted,
  settled,
  sha512,
  storedSlices,
} from "../support/scenario.ts";

const SIZE = 700_000;

async function slicesOf(id: string): Promise<string[]> {
  const row = await bindings.CATALOG.prepare(
    "SELECT blob, generation FROM images JOIN blobs USING (blob) WHERE image_id = ?",
  )
    .bind(id)
    .first<{ blob: string; generation: string }>();
  return row === null ? [] : storedSlices(`blobs/${row.blob}/${row.generation}/`);
}

describe("deleting an image through the edge", () => {
  it.each(["v1", "v2"])("by %s takes the catalog row and the slices with it", async (api) => {
    const image = await createImage({ size: SIZE });
    await cacheImage(image.id);
    expect(await slicesOf(image.id)).not.toEqual([]);
    const response = await ask(`/${api}/images/${image.id}`, { method: "DELETE" });
    expect(response.ok).toBe(true);
    await response.arrayBuffer();
    await settled();
    expect(await isCommitted(image.id)).toBe(false);
    expect(await storedSlices(`blobs/sha512-${image.os_hash_value}/`)).toEqual([]);
    await expectCalls(`DELETE /${api}/images/${image.id}`);
    const after = await download(image.id);
    expect(after.status).toBe(404);
    await after.arrayBuffer();
    await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file`);
  });

  it("that the origin refuses evicts nothing", async () => {
    const image = await createImage({ size: SIZE });
    await cacheImage(image.id);
    const response = await ask(`/v2/images/${image.id}`, { method: "DELETE", token: "other" });
    expect(response.status).toBe(404);
    await response.arrayBuffer();
    await settled();
    expect(await isCommitted(image.id)).toBe(true);
    await expectCalls(`DELETE /v2/images/${image.id}`);
  });

  it.each([
    "/v2.7/images/{id}",
    "//v2//images//{id}",
    "/v2/images/{%}",
    "/v2%2Fimages%2F{id}",
    "/%76%32/images/{id}?a=b",
    "/images/{id}",
  ])("spelt %s evicts too, since Glance takes that for the image", async (spelling) => {
    const image = await createImage({ size: SIZE });
    await cacheImage(image.id);
    const first = `%${image.id.charCodeAt(0).toString(16)}`;
    const path = spelling.replace("{id}", image.id).replace("{%}", first + image.id.slice(1));
    const headers = path.startsWith("/images") ? { accept: "application/vnd.openstack.images-v2.7" } : {};
    const response = await ask(path, { method: "DELETE", headers });
    expect(response.status).toBe(204);
    await settled();
    expect(await isCommitted(image.id)).toBe(false);
    expect(await slicesOf(image.id)).toEqual([]);
    await expectCalls(`DELETE ${path}`);
  });

  it.each(["/v2/images/{id}/", "/v2/images/{id};a=b", "/v2.99/images/{id}", "/v2/images/{id}%20", "/v2/{id}"])(
    "spelt %s evicts nothing, since Glance does not take that for the image",
    async (spelling) => {
      const image = await createImage({ size: SIZE });
      await cacheImage(image.id);
      const path = spelling.replace("{id}", image.id);
      const response = await ask(path, { method: "DELETE" });
      expect([300, 404]).toContain(response.status);
      await response.arrayBuffer();
      await settled();
      expect(await isCommitted(image.id)).toBe(true);
      await expectCalls(`DELETE ${path}`);
    },
  );

  it("spelt in upper case evicts too, should the origin take it", async () => {
    const image = await createImage({ size: SIZE });
    await cacheImage(image.id);
    const response = await ask(`/v2/images/${image.id.toUpperCase()}`, { method: "DELETE" });
    await response.arrayBuffer();
    await settled();
    expect(await isCommitted(image.id)).toBe(!response.ok);
    await calls();
    await expectCalls(`DELETE /v2/images/${image.id.toUpperCase()}`);
  });

  it("deleting only its data, members or tags evicts nothing", async () => {
    const image = await createImage({ size: SIZE });
    await cacheImage(image.id);
    const response = await ask(`/v2/images/${image.id}/tags/x`, { method: "DELETE" });
    await response.arrayBuffer();
    expect(await isCommitted(image.id)).toBe(true);
    await expectCalls(`DELETE /v2/images/${image.id}/tags/x`);
  });
});

describe("two images with the same content", () => {
  it("share one stored copy, which goes with the last of them", async () => {
    const seed = 4711 + SIZE;
    const [one, two] = [await createImage({ size: SIZE, seed }), await createImage({ size: SIZE, seed })];
    expect(one.os_hash_value).toBe(two.os_hash_value);
    await cacheImage(one.id);
    const copy = await slicesOf(one.id);
    // The second image's first download comes from the origin: a record's claim of a digest is no right to the bytes.
    await cacheImage(two.id);
    expect(await slicesOf(two.id)).toEqual(copy);
    expect(await sha512(await (await download(two.id)).arrayBuffer())).toBe(two.os_hash_value);
    await expectCalls(...asks(two.id));

    await (await ask(`/v2/images/${one.id}`, { method: "DELETE" })).arrayBuffer();
    await expectCalls(`DELETE /v2/images/${one.id}`);
    const kept = await download(two.id);
    expect(kept.headers.get("cache-status")).toBe("glance-edge; hit");
    expect(await sha512(await kept.arrayBuffer())).toBe(two.os_hash_value);
    await expectCalls(...asks(two.id));

    await (await ask(`/v2/images/${two.id}`, { method: "DELETE" })).arrayBuffer();
    await settled();
    for (const key of copy) expect(await bindings.BUCKET.head(key)).toBeNull();
    await expectCalls(`DELETE /v2/images/${two.id}`);
  });

  it("known by MD5 only do not share", async () => {
    const seed = 4712 + SIZE;
    const [one, two] = [
      await createImage({ size: SIZE, seed, hash: "md5" }),
      await createImage({ size: SIZE, seed, hash: "md5" }),
    ];
    await cacheImage(one.id);
    await cacheImage(two.id);
    expect(await slicesOf(one.id)).not.toEqual(await slicesOf(two.id));
  });
});

describe("an image that was deleted at the origin without passing the edge", () => {
  it("is refused by the origin and evicted, once a caller who had it asks", async () => {
    const image = await createImage({ size: SIZE });
    await cacheImage(image.id);
    await atOrigin(`/v2/images/${image.id}`, { method: "DELETE" });
    const response = await download(image.id);
    expect(response.status).toBe(404);
    await response.arrayBuffer();
    await settled();
    expect(await isCommitted(image.id)).toBe(false);
    expect(await storedSlices(`blobs/sha512-${image.os_hash_value}/`)).toEqual([]);
    await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file`);
  });

  it("is not evicted by a stranger's 404, which says nothing of the image", async () => {
    const image = await createImage({ size: SIZE });
    await cacheImage(image.id);
    for (const _ of [1, 2]) {
      const response = await download(image.id, { token: "other" });
      expect(response.status).toBe(404);
      await response.arrayBuffer();
    }
    await settled();
    expect(await isCommitted(image.id)).toBe(true);
    const refused = [...asks(image.id), `GET /v2/images/${image.id}/file`];
    await expectCalls(...refused, ...refused);
  });
});
