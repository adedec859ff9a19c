import { describe, expect, it } from "vitest";
import { keptImage, keysOf } from "../../support/kept.ts";
import { keepLines } from "../../support/lines.ts";
import { expectImage, startReader } from "../../support/readers.ts";
import {
  ask,
  asks,
  atOrigin,
  bindings,
  committed,
  createImage,
  download,
  expectCalls,
  isCommitted,
  setFaults,
  settled,
  sha512,
} from "../../support/scenario.ts";

const SIZE = 700_000;

const lines = keepLines();
/** Whether it is Glance that says so. */
const LIST = "GET /v2/images?limit=1";

describe("deleting an image through the edge", () => {
  it.each(["v1", "v2"])("by %s takes the row and all that R2 has of it along", async (api) => {
    const image = await keptImage({ size: SIZE });
    expect(await keysOf(image)).toEqual([`images/${image.id}`]);
    const response = await ask(`/${api}/images/${image.id}`, { method: "DELETE" });
    expect(response.ok).toBe(true);
    await response.arrayBuffer();
    await settled();
    expect(await isCommitted(image.id)).toBe(false);
    expect(await keysOf(image)).toEqual([]);
    await expectCalls(`DELETE /${api}/images/${image.id}`);
    const after = await download(image.id);
    expect(after.status).toBe(404);
    await after.arrayBuffer();
    await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file`);
  });

  it("that the origin refuses evicts nothing", async () => {
    const image = await keptImage({ size: SIZE });
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
    const image = await keptImage({ size: SIZE });
    const first = `%${image.id.charCodeAt(0).toString(16)}`;
    const path = spelling.replace("{id}", image.id).replace("{%}", first + image.id.slice(1));
    const headers = path.startsWith("/images") ? { accept: "application/vnd.openstack.images-v2.7" } : {};
    const response = await ask(path, { method: "DELETE", headers });
    expect(response.status).toBe(204);
    await settled();
    expect(await isCommitted(image.id)).toBe(false);
    expect(await keysOf(image)).toEqual([]);
    await expectCalls(`DELETE ${path}`);
  });

  it.each(["/v2/images/{id}/", "/v2/images/{id};a=b", "/v2.99/images/{id}", "/v2/images/{id}%20", "/v2/{id}"])(
    "spelt %s evicts nothing, since Glance does not take that for the image",
    async (spelling) => {
      const image = await keptImage({ size: SIZE });
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
    const image = await keptImage({ size: SIZE });
    const response = await ask(`/v2/images/${image.id.toUpperCase()}`, { method: "DELETE" });
    await response.arrayBuffer();
    await settled();
    expect(await isCommitted(image.id)).toBe(!response.ok);
    await expectCalls(`DELETE /v2/images/${image.id.toUpperCase()}`);
  });

  it("deleting only its data, members or tags evicts nothing", async () => {
    const image = await keptImage({ size: SIZE });
    const response = await ask(`/v2/images/${image.id}/tags/x`, { method: "DELETE" });
    await response.arrayBuffer();
    expect(await isCommitted(image.id)).toBe(true);
    await expectCalls(`DELETE /v2/images/${image.id}/tags/x`);
  });
});

describe("two images with the same content", () => {
  it("are kept apart: a record's claim of a digest is no right to the bytes, and one goes without the other", async () => {
    const seed = 4711 + SIZE;
    const one = await keptImage({ size: SIZE, seed });
    const two = await createImage({ size: SIZE, seed });
    expect(one.os_hash_value).toBe(two.os_hash_value);
    const first = await download(two.id);
    expect(first.headers.get("cache-status")).toBe("glance-edge; fwd=uri-miss; stored");
    await first.arrayBuffer();
    await committed(two.id);
    await (await ask(`/v2/images/${one.id}`, { method: "DELETE" })).arrayBuffer();
    await settled();
    expect(await keysOf(one)).toEqual([]);
    const kept = await download(two.id);
    expect(kept.headers.get("cache-status")).toBe("glance-edge; hit");
    expect(await sha512(await kept.arrayBuffer())).toBe(two.os_hash_value);
    const file = `GET /v2/images/${two.id}/file`;
    await expectCalls(...asks(two.id), file, `DELETE /v2/images/${one.id}`, ...asks(two.id));
  });
});

describe("an image that was deleted at the origin without passing the edge", () => {
  it("is refused by the origin and evicted, once a caller who had it asks", async () => {
    const image = await keptImage({ size: SIZE });
    await (await download(image.id)).arrayBuffer();
    await atOrigin(`/v2/images/${image.id}`, { method: "DELETE" });
    const response = await download(image.id);
    expect(response.status).toBe(404);
    await response.arrayBuffer();
    await settled();
    expect(await isCommitted(image.id)).toBe(false);
    expect(await keysOf(image)).toEqual([]);
    expect(lines("image.evicted")).toMatchObject([{ image_id: image.id }]);
    await expectCalls(...asks(image.id), ...asks(image.id), `GET /v2/images/${image.id}/file`, LIST);
  });

  it("ends no fill that others read", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: SIZE });
    const reader = await startReader(image.id);
    await reader.has(100_000);
    await atOrigin(`/v2/images/${image.id}`, { method: "DELETE" });
    const response = await download(image.id);
    expect(response.status).toBe(404);
    await response.arrayBuffer();
    await expectImage(reader, image);
    await settled();
    const file = `GET /v2/images/${image.id}/file`;
    await expectCalls(...asks(image.id), ...asks(image.id), file, file, LIST);
  });

  it("is not evicted by the 404 of what is no Glance", async () => {
    const image = await keptImage({ size: SIZE });
    await (await download(image.id)).arrayBuffer();
    const response = await download(image.id, { env: { ORIGIN_URL: `${bindings.ORIGIN_URL}/v3` } });
    expect(response.status).toBe(404);
    await response.arrayBuffer();
    await settled();
    expect(await keysOf(image)).toEqual([`images/${image.id}`]);
    const elsewhere = [...asks(image.id), `GET /v2/images/${image.id}/file`, LIST];
    await expectCalls(...asks(image.id), ...elsewhere.map((call) => call.replace(" /", " /v3/")));
  });

  it.each([401, 403, 500, 503])("is not evicted by a record that is refused with %i", async (recordStatus) => {
    const image = await keptImage({ size: SIZE });
    await (await download(image.id)).arrayBuffer();
    await setFaults(image.id, { recordStatus });
    await (await download(image.id)).arrayBuffer();
    await settled();
    expect(await keysOf(image)).toEqual([`images/${image.id}`]);
    expect(await isCommitted(image.id)).toBe(true);
    await expectCalls(...asks(image.id), ...asks(image.id), `GET /v2/images/${image.id}/file`);
  });

  it("is not evicted by a stranger's 404, which says nothing of the image", async () => {
    const image = await keptImage({ size: SIZE });
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
