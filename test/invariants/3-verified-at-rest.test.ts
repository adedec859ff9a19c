/** Invariant 3: what is under images/ was checked by R2's own digest; what was not is a miss, and is replaced. */

import { beforeEach, describe, expect, it } from "vitest";
import { bucketBut } from "../support/bindings.ts";
import { fillEnv } from "../support/fill-env.ts";
import { SOON } from "../support/fills.ts";
import { keptImage } from "../support/kept.ts";
import { keepLines } from "../support/lines.ts";
import { expectImage, startReader } from "../support/readers.ts";
import {
  asks,
  bindings,
  cacheImage,
  committed,
  createImage,
  download,
  expectCalls,
  settled,
  sha512,
  trueBytes,
} from "../support/scenario.ts";
import { emptyStore, putByHand } from "../support/store.ts";

const SIZE = 600_000;
const file = (id: string) => `GET /v2/images/${id}/file`;

keepLines();
beforeEach(async () => {
  fillEnv.changes = {};
  await emptyStore();
});

describe("what is under an image's key but is not the image is a miss and is replaced:", () => {
  const put = (key: string, body: Uint8Array, customMetadata?: Record<string, string>) =>
    bindings.BUCKET.put(key, body, customMetadata === undefined ? {} : { customMetadata });
  const mine = { kind: "image", attempt: "a", rangesFrom: "0" };

  it.each<[string, (id: string, bytes: Uint8Array) => Promise<unknown>]>([
    ["something that no Fill has put", (id, bytes) => put(`images/${id}`, bytes)],
    ["a shortened copy", (id, bytes) => put(`images/${id}`, bytes.slice(1), mine)],
    [
      "a copy with other content",
      (id, bytes) =>
        put(
          `images/${id}`,
          bytes.map((byte) => byte ^ 1),
          mine,
        ),
    ],
    ["a copy with the right content that R2 never checked by SHA-512", (id, bytes) => put(`images/${id}`, bytes, mine)],
  ])("%s", async (_, harm) => {
    const other = await createImage({ size: 200_000 });
    await harm(other.id, await trueBytes(other.id));
    const miss = await download(other.id);
    expect(miss.headers.get("cache-status")).toBe("glance-edge; fwd=uri-miss; stored");
    expect(await sha512(await miss.arrayBuffer())).toBe(other.os_hash_value);
    await expectCalls(...asks(other.id), `GET /v2/images/${other.id}/file`);
    await expect.poll(() => bindings.BUCKET.head(`images/${other.id}`), { timeout: 50_000 }).not.toBeNull();
    const hit = await download(other.id);
    expect(hit.headers.get("cache-status")).toBe("glance-edge; hit");
    expect(await sha512(await hit.arrayBuffer())).toBe(other.os_hash_value);
    await expectCalls(...asks(other.id));
  });
});

describe("what is kept is opened", () => {
  it("is given whole or not at all: a copy that is replaced between two looks is not mixed with another", async () => {
    const image = await keptImage({ size: 200_000 });
    const bytes = await trueBytes(image.id);
    const get = async (key: string, options: R2GetOptions) => {
      const object = await bindings.BUCKET.get(key, options);
      if (object === null || options.range === undefined) return object;
      return new Proxy(object, {
        get: (target, name) =>
          name === "customMetadata"
            ? { ...object.customMetadata, attempt: "another" }
            : Reflect.get(target, name, target),
      });
    };
    const headers = { "content-range": "bytes 7-9/*" };
    const response = await download(image.id, { headers, env: { BUCKET: bucketBut({ get }) } });
    expect(response.headers.get("cache-status")).toBe("glance-edge; fwd=uri-miss; collapsed");
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(bytes.slice(7, 10));
    await expectCalls(...asks(image.id));
  });
});

describe("an object that somebody has put in an image's place", () => {
  it.each<[string, Record<string, string>]>([
    ["without metadata", {}],
    ["with those of a fill", { kind: "image", attempt: "x", algorithm: "sha512", hex: "0".repeat(128) }],
  ])("%s is never served: the next download replaces it", async (_, metadata) => {
    const image = await createImage({ size: SIZE });
    await putByHand(image.id, "x".repeat(SIZE), metadata);
    const reader = await startReader(image.id);
    expect(reader.cacheStatus).toBe("glance-edge; fwd=uri-miss; stored");
    await expectImage(reader, image);
    await committed(image.id);
    const hit = await startReader(image.id);
    expect(hit.cacheStatus).toBe("glance-edge; hit");
    await expectImage(hit, image);
    await expectCalls(...asks(image.id), ...asks(image.id), file(image.id));
  });

  it("as the kept image cut short is never served: the next download replaces it", async () => {
    const image = await createImage({ size: SIZE });
    await cacheImage(image.id);
    const whole = await bindings.BUCKET.get(`images/${image.id}`);
    const bytes = await new Response(whole?.body ?? null).arrayBuffer();
    await bindings.BUCKET.put(`images/${image.id}`, bytes.slice(0, 1_000), {
      customMetadata: whole?.customMetadata ?? {},
    });
    // At the latest when the slices of its own fill are gone, which serve it meanwhile.
    const sizeAfterDownload = async () => {
      await expectImage(await startReader(image.id), image);
      return (await bindings.BUCKET.head(`images/${image.id}`))?.size;
    };
    await expect.poll(sizeAfterDownload, { ...SOON, interval: 500 }).toBe(SIZE);
    await settled();
    const some = asks(image.id).map((line) => `*${line}`);
    await expectCalls(...some, `*${file(image.id)}`);
  });
});
