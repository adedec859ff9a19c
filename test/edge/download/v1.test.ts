import { describe, expect, it } from "vitest";
import { keptImage } from "../../support/kept.ts";
import { keepLines } from "../../support/lines.ts";
import { expectImage, startReader } from "../../support/readers.ts";
import {
  ask,
  asks,
  asksV1,
  atOrigin,
  bindings,
  committed,
  control,
  createImage,
  expectCalls,
  isCommitted,
  setFaults,
  settled,
  sha512,
} from "../../support/scenario.ts";

const SIZE = 900_001;
keepLines();

async function cacheByV1(id: string): Promise<void> {
  const response = await ask(`/v1/images/${id}`);
  expect(response.headers.get("cache-status")).toBe("glance-edge; fwd=uri-miss; stored");
  expect(response.headers.has("x-image-meta-location")).toBe(false);
  await response.arrayBuffer();
  await settled();
  await committed(id);
  await expectCalls(...asksV1(id), `GET /v1/images/${id}`);
}

describe("a v1 download", () => {
  it("is a miss and then a hit with the caller's own x-image-meta-* fields, location hidden", async () => {
    const image = await createImage({ size: SIZE });
    await cacheByV1(image.id);
    // Only an admin's record tells the location.
    const head = await atOrigin(`/v1/images/${image.id}`, { method: "HEAD", token: "admin" });
    const hit = await ask(`/v1/images/${image.id}`, { token: "admin" });
    expect(hit.status).toBe(200);
    expect(hit.headers.get("cache-status")).toBe("glance-edge; hit");
    expect(head.headers.has("x-image-meta-location")).toBe(true);
    for (const [name, value] of head.headers) {
      if (!name.startsWith("x-image-meta-")) continue;
      expect(hit.headers.get(name), name).toBe(name.includes("location") ? null : value);
    }
    expect(hit.headers.get("etag")).toBe(`"${image.checksum}"`);
    expect(hit.headers.get("content-length")).toBe(String(SIZE));
    expect(await sha512(await hit.arrayBuffer())).toBe(image.os_hash_value);
    await expectCalls(...asksV1(image.id));
  });

  it("hits what a v2 download brought, and v2 hits its own", async () => {
    const image = await keptImage({ size: SIZE });
    const v1 = await ask(`/v1/images/${image.id}`);
    expect(v1.headers.get("cache-status")).toBe("glance-edge; hit");
    expect(await sha512(await v1.arrayBuffer())).toBe(image.os_hash_value);
    const v2 = await ask(`/v2/images/${image.id}/file`);
    expect(v2.headers.get("cache-status")).toBe("glance-edge; hit");
    await v2.arrayBuffer();
    await expectCalls(...asksV1(image.id), ...asks(image.id));
  });

  it("gives the size of the stored copy where the record has none", async () => {
    const image = await createImage({ size: SIZE });
    await cacheByV1(image.id);
    await control("PUT", `/images/${image.id}`, { size: SIZE, overrides: { size: 0, checksum: image.checksum } });
    const hit = await ask(`/v1/images/${image.id}`);
    expect(hit.headers.get("cache-status")).toBe("glance-edge; hit");
    expect(hit.headers.get("content-length")).toBe(String(SIZE));
    expect(await sha512(await hit.arrayBuffer())).toBe(image.os_hash_value);
    await expectCalls(...asksV1(image.id));
  });

  it("fills by MD5 only: a v2 download that begins meanwhile goes alone, through a gate with the stronger digest", async () => {
    // The gate gives a MiB at a time: of a smaller image the first bytes are there when it is all there.
    const image = await createImage({ size: 3_000_000 });
    await setFaults(image.id, { rate: 1_000_000 });
    const v1 = await startReader(image.id, { api: "v1" });
    await v1.has(100_000);
    const v2 = await startReader(image.id);
    expect([v1.cacheStatus, v2.cacheStatus]).toEqual([
      "glance-edge; fwd=uri-miss; stored",
      "glance-edge; fwd=uri-miss; detail=fill-weaker",
    ]);
    await expectImage(v1, image);
    await expectImage(v2, image);
    await expectCalls(
      ...asksV1(image.id),
      ...asks(image.id),
      `GET /v1/images/${image.id}`,
      `GET /v2/images/${image.id}/file`,
    );
  });

  it("of a deactivated image is refused by the origin, admins included", async () => {
    const image = await createImage({ size: SIZE });
    await cacheByV1(image.id);
    await atOrigin(`/v2/images/${image.id}/actions/deactivate`, { method: "POST", token: "admin" });
    for (const token of ["demo", "admin"]) {
      const response = await ask(`/v1/images/${image.id}`, { token });
      expect(response.status).toBe(403);
      await response.arrayBuffer();
    }
    const refused = [...asksV1(image.id), `GET /v1/images/${image.id}`];
    await expectCalls(...refused, ...refused);
  });

  it("of a deleted image is the origin's 404 and evicts it", async () => {
    const image = await createImage({ size: SIZE });
    await cacheByV1(image.id);
    await atOrigin(`/v1/images/${image.id}`, { method: "DELETE" });
    const response = await ask(`/v1/images/${image.id}`);
    expect(response.status).toBe(404);
    await response.arrayBuffer();
    await settled();
    expect(await isCommitted(image.id)).toBe(false);
    await expectCalls(...asksV1(image.id), `GET /v1/images/${image.id}`, "GET /v2/images?limit=1");
  });

  it("of another project's image is refused", async () => {
    const image = await createImage({ size: SIZE });
    await cacheByV1(image.id);
    const response = await ask(`/v1/images/${image.id}`, { token: "other" });
    expect(response.status).toBe(404);
    await response.arrayBuffer();
    await expectCalls(...asksV1(image.id), `GET /v1/images/${image.id}`);
  });

  it("whose data is refused though the record is not, is refused", async () => {
    const image = await createImage({ size: SIZE });
    await cacheByV1(image.id);
    await setFaults(image.id, { status: 403 });
    const response = await ask(`/v1/images/${image.id}`);
    expect(response.status).toBe(403);
    await response.arrayBuffer();
    await expectCalls(...asksV1(image.id), `GET /v1/images/${image.id}`);
  });
});

it("/v1/images/detail is Glance's list, not an image", async () => {
  const response = await ask("/v1/images/detail");
  expect(response.status).toBe(200);
  expect(response.headers.get("cache-status")).toBeNull();
  expect(await response.json()).toHaveProperty("images");
  await expectCalls("GET /v1/images/detail");
});

it("the catalog has one row for an image, whichever API filled it", async () => {
  const image = await createImage({ size: SIZE });
  await cacheByV1(image.id);
  const { results } = await bindings.CATALOG.prepare("SELECT * FROM images WHERE image_id = ?").bind(image.id).all();
  expect(results).toHaveLength(1);
});
