/** A second download is answered from the store: the same bytes, and none of them from Glance. */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { EDGE, GLANCE, PROBE, withoutEdge } from "./addresses.ts";
import { curl, field } from "./clients.ts";
import {
  cacheStatus,
  counts,
  filePath,
  forgetCounts,
  type Image,
  imageBytesFromGlance,
  makeImage,
  sha512,
  store,
  tokenOf,
  untilHit,
} from "./cloud.ts";
import { askBoth } from "./compare.ts";

/** Several slices of the default 8 MiB, the last one short. */
const SIZE = 20 * 1024 * 1024 + 123;

describe("a download through the edge", () => {
  let image: Image;
  before(async () => {
    image = await makeImage({ size: SIZE });
  });

  test("comes from Glance the first time and is stored on the way", { skip: withoutEdge }, async () => {
    const miss = await curl(EDGE + filePath(image.id), { token: await tokenOf("demo") });
    assert.equal(miss.status, 200);
    assert.equal(cacheStatus(miss.headers), "glance-edge; fwd=uri-miss; stored");
    assert.equal(sha512(miss.body), sha512(image.bytes));
  });

  test("is a hit the second time, with the same bytes", { skip: withoutEdge }, async () => {
    await untilHit(image.id, 30);
    const hit = await curl(EDGE + filePath(image.id), { token: await tokenOf("demo") });
    assert.equal(hit.status, 200);
    assert.equal(cacheStatus(hit.headers), "glance-edge; hit");
    assert.equal(sha512(hit.body), sha512(image.bytes));
  });

  test("moves no image bytes from Glance when it is a hit", { skip: withoutEdge }, async () => {
    await forgetCounts();
    const hit = await curl(EDGE + filePath(image.id), { token: await tokenOf("demo") });
    assert.equal(hit.body.length, SIZE);
    const asked = await counts();
    assert.ok(asked.length > 0, "Glance was not asked whether this token may download");
    assert.equal(await imageBytesFromGlance(), 0);
    for (const { method, path, range } of asked) {
      assert.equal(method, "GET");
      if (path === filePath(image.id)) assert.equal(range, PROBE);
      else assert.equal(path, `/v2/images/${image.id}`);
    }
  });

  test("has the length, type and checksum that Glance states, as a hit too", async () => {
    const { edge, origin } = await askBoth(filePath(image.id), { token: await tokenOf("demo") });
    for (const name of ["content-type", "content-md5"]) {
      assert.equal(field(edge.headers, name), field(origin.headers, name), name);
    }
    assert.ok(field(edge.headers, "content-md5") !== undefined);
    if (withoutEdge === false) assert.equal(field(edge.headers, "content-length"), String(SIZE));
  });

  test("is answered 304 to its own ETag when it is a hit", { skip: withoutEdge }, async () => {
    const token = await tokenOf("demo");
    const etag = field((await curl(EDGE + filePath(image.id), { token })).headers, "etag");
    assert.ok(etag !== undefined && /^"[^"]+"$/.test(etag), `a strong ETag, not ${etag}`);
    const again = await curl(EDGE + filePath(image.id), { token, headers: [`If-None-Match: ${etag}`] });
    assert.equal(again.status, 304);
    assert.equal(again.body.length, 0);
  });
});

describe("a stored image", () => {
  test("is a hit for another project that may have it", async () => {
    const image = await makeImage({ size: 1_000_003, visibility: "community" });
    await store(image.id);
    await forgetCounts();
    const hit = await curl(EDGE + filePath(image.id), { token: await tokenOf("other") });
    assert.equal(sha512(hit.body), sha512(image.bytes));
    if (withoutEdge === false) {
      assert.equal(cacheStatus(hit.headers), "glance-edge; hit");
      assert.equal(await imageBytesFromGlance(), 0);
    }
  });

  test("can be as small as one byte", async () => {
    const image = await makeImage({ size: 1 });
    await store(image.id);
    const { edge, origin } = await askBoth(filePath(image.id), { token: await tokenOf("demo") });
    assert.deepEqual([edge.status, edge.body], [200, image.bytes]);
    assert.deepEqual([origin.status, origin.body], [200, image.bytes]);
  });

  test("was made at Glance, not at the edge", async () => {
    // Guards this file's own premise: what makeImage makes is what Glance serves.
    const image = await makeImage({ size: 70_001 });
    const direct = await curl(GLANCE + filePath(image.id), { token: await tokenOf("demo") });
    assert.equal(sha512(direct.body), sha512(image.bytes));
  });
});
