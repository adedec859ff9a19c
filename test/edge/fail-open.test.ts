import { describe, expect, it } from "vitest";
import type { Env } from "../../src/config.ts";
import {
  asks,
  bindings,
  cacheImage,
  createImage,
  download,
  expectCalls,
  isCommitted,
  settled,
  sha512,
  storedSlices,
  trueBytes,
} from "../support/scenario.ts";

const SIZE = 2_100_000;
const broken = () => Promise.reject(new Error("out of order"));
const never = () => new Promise<never>(() => undefined);

/** The real binding with some of its methods out of order. */
function but<T extends object>(real: T, broken: Partial<Record<keyof T, unknown>>): T {
  return new Proxy(real, {
    get(target, name) {
      if (name in broken) return Reflect.get(broken, name);
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

describe("a download does not fail because of the cache", () => {
  const file = (id: string) => `GET /v2/images/${id}/file`;

  it.each<[string, Partial<Env>, string]>([
    [
      "D1 fails",
      { CATALOG: but(bindings.CATALOG, { prepare: () => ({ bind: () => ({ first: broken }) }) }) },
      "catalog-unavailable",
    ],
    [
      "D1 hangs",
      { CATALOG: but(bindings.CATALOG, { prepare: () => ({ bind: () => ({ first: never }) }) }) },
      "catalog-unavailable",
    ],
    ["R2 fails", { BUCKET: but(bindings.BUCKET, { get: broken, put: broken, head: broken }) }, "store-unavailable"],
    ["R2 hangs", { BUCKET: but(bindings.BUCKET, { get: never, put: never, head: never }) }, "store-unavailable"],
  ])("of a stored image while %s: the origin's bytes through the digest gate", async (_, env, detail) => {
    const image = await createImage({ size: SIZE });
    await cacheImage(image.id);
    const response = await download(image.id, { env });
    expect(response.status).toBe(200);
    expect(response.headers.get("cache-status")).toBe(`glance-edge; fwd=uri-miss; detail=${detail}`);
    expect(await sha512(await response.arrayBuffer())).toBe(image.os_hash_value);
    await expectCalls(...asks(image.id), file(image.id));
  });

  it("of a range while R2 fails: the origin's own answer", async () => {
    const image = await createImage({ size: SIZE });
    await cacheImage(image.id);
    const env = { BUCKET: but(bindings.BUCKET, { get: broken }) };
    const response = await download(image.id, { env, headers: { range: "bytes=7-9" } });
    expect(response.status).toBe(206);
    expect(response.headers.get("cache-status")).toBe("glance-edge; fwd=bypass; detail=store-unavailable");
    expect((await response.arrayBuffer()).byteLength).toBe(3);
    await expectCalls(...asks(image.id), `${file(image.id)} bytes=7-9`);
  });

  it.each([
    ["fails", broken],
    ["hangs", never],
  ])("of an image that is not stored while R2 %s: all bytes, verified, and nothing committed", async (_, put) => {
    const image = await createImage({ size: SIZE });
    const response = await download(image.id, { env: { BUCKET: but(bindings.BUCKET, { put }) } });
    expect(response.headers.get("cache-status")).toBe("glance-edge; fwd=uri-miss; stored");
    expect(await sha512(await response.arrayBuffer())).toBe(image.os_hash_value);
    expect(await isCommitted(image.id)).toBe(false);
    await expectCalls(...asks(image.id), file(image.id));
  });

  it("of an image that is not stored while its Fill fails", async () => {
    const image = await createImage({ size: SIZE });
    const fill = { idFromName: () => ({}), get: () => ({ turn: broken, left: broken }) };
    const env = { FILL: fill as unknown as Env["FILL"] };
    const response = await download(image.id, { env });
    expect(response.headers.get("cache-status")).toBe("glance-edge; fwd=uri-miss; detail=fill-unavailable");
    expect(await sha512(await response.arrayBuffer())).toBe(image.os_hash_value);
    await settled();
    await expectCalls(...asks(image.id), file(image.id));
  });
});

describe("a slice of a stored image", () => {
  async function cached() {
    const image = await createImage({ size: SIZE });
    await cacheImage(image.id);
    const keys = await storedSlices(`blobs/sha512-${image.os_hash_value}/`);
    expect(keys).toHaveLength(12);
    return { image, keys: keys.sort((a, b) => Number(a.split("/").pop()) - Number(b.split("/").pop())) };
  }
  const LEAD = 64 * 1024;

  it.each([
    ["is missing", async (key: string) => bindings.BUCKET.delete(key)],
    ["is one byte short", async (key: string) => damage(key, (bytes) => bytes.slice(0, -1))],
    ["is one byte long", async (key: string) => damage(key, (bytes) => new Uint8Array([...bytes, 0]))],
    [
      "has one wrong bit",
      async (key: string) =>
        damage(key, (bytes) => {
          bytes[77] = (bytes[77] ?? 0) ^ 1;
          return bytes;
        }),
    ],
  ])("that %s is taken from the origin and stored again", async (_, harm) => {
    for (const slice of [0, 3, 11]) {
      const { image, keys } = await cached();
      const key = keys[slice] ?? "";
      const before = await bindings.BUCKET.head(key);
      await harm(key);
      const response = await download(image.id);
      expect(await sha512(await response.arrayBuffer())).toBe(image.os_hash_value);
      await settled();
      const start = slice < 8 ? slice * LEAD : (slice - 7) * 8 * LEAD;
      await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file${start === 0 ? "" : ` bytes=${start}-`}`);
      expect((await bindings.BUCKET.head(key))?.etag).toBe(before?.etag);
      const again = await download(image.id);
      expect(await sha512(await again.arrayBuffer())).toBe(image.os_hash_value);
      await expectCalls(...asks(image.id));
    }
  });

  it("that is missing is given for a range as well", async () => {
    const { image, keys } = await cached();
    await bindings.BUCKET.delete(keys[2] ?? "");
    const range = { range: `bytes=${2 * LEAD + 5}-${3 * LEAD + 4}` };
    const response = await download(image.id, { headers: range });
    expect(response.status).toBe(206);
    const bytes = await trueBytes(image.id);
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(bytes.slice(2 * LEAD + 5, 3 * LEAD + 5));
    await settled();
    await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file bytes=${2 * LEAD}-`);
  });

  async function damage(key: string, change: (bytes: Uint8Array) => Uint8Array): Promise<void> {
    const object = await bindings.BUCKET.get(key);
    if (object === null) throw new Error(`no ${key}`);
    await bindings.BUCKET.put(key, change(new Uint8Array(await object.arrayBuffer())));
  }
});
