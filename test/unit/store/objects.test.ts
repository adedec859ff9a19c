/** Kept images in R2, and what is none. A foreign or shortened object is never taken for a copy. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Digest } from "../../../src/digest/algorithms.ts";
import { isCopyOf, ObjectStore, type StoredImage } from "../../../src/store/objects.ts";
import { bucketBut } from "../../support/bindings.ts";
import { bodyOf, bucket, content, digestOf, emptied, keep, keys, objects, text } from "../../support/stored.ts";

const ID = "0d2a3c9e-7a52-4b40-9f7e-5d1e6f5f2f10";
const HELLO = Uint8Array.from(new TextEncoder().encode("hello"));
const put = async (options: Partial<{ attempt: string; digest: Digest; rangesFrom: number }> = {}, bytes = HELLO) =>
  objects.put(ID, bodyOf(bytes), { attempt: "mine", digest: await digestOf(HELLO), rangesFrom: 0, ...options });

beforeEach(emptied);
afterEach(() => {
  vi.restoreAllMocks();
});

describe("an image that is put", () => {
  it("is kept under its id, and says what it is by what R2 has computed", async () => {
    expect(await put({ rangesFrom: 77 })).toBe("created");
    expect(await keys()).toEqual([`images/${ID}`]);
    const open = await objects.open(ID, null);
    expect(await text(open?.body)).toBe("hello");
    expect(open?.image).toMatchObject({ imageId: ID, size: 5, attempt: "mine", rangesFrom: 77, kind: "image" });
    expect(open?.image.digests.sha512).toBe((await digestOf(HELLO)).hex);
    expect(open?.image.digests.md5).toBe((await digestOf(HELLO, "md5")).hex);
    expect(Math.abs((open?.image.storedAt ?? 0) - Date.now())).toBeLessThan(60_000);
    expect(await objects.head(ID)).toEqual(open?.image);
  });

  it.each(["sha512", "sha384", "sha256", "sha1", "md5"] as const)("is checked by its %s", async (algorithm) => {
    const digest = await digestOf(HELLO, algorithm);
    const wrong = { algorithm, hex: digest.hex.replace(/^./, (digit) => (digit === "0" ? "1" : "0")) };
    expect(await put({ digest: wrong })).toBe("wrong-digest");
    expect(await keys()).toEqual([]);
    expect(await put({ digest })).toBe("created");
    const kept = await objects.head(ID);
    expect(kept === null || kept === "foreign" ? null : isCopyOf(kept, digest, 5)).toBe(true);
  });

  it.each([
    ["shorter", "hell"],
    ["longer", "hello!"],
    ["other", "jello"],
  ])("as %s bytes is refused, and nothing is kept", async (_, word) => {
    expect(await put({}, Uint8Array.from(new TextEncoder().encode(word)))).toBe("wrong-digest");
    expect(await objects.head(ID)).toBeNull();
  });

  it("never overwrites another one", async () => {
    await put({ attempt: "first" });
    expect(await put({ attempt: "second" })).toBe("exists");
    expect(await objects.head(ID)).toMatchObject({ attempt: "first" });
  });

  it("tells when R2 fails, since its fate is not known", async () => {
    const down = new ObjectStore(bucketBut({ put: () => Promise.reject(new Error("R2 is down")) }));
    const options = { attempt: "mine", digest: await digestOf(HELLO), rangesFrom: 0 };
    await expect(down.put(ID, bodyOf(HELLO), options)).rejects.toThrow("R2 is down");
  });

  it("can be removed, once and again", async () => {
    await put();
    await objects.remove(ID);
    await objects.remove(ID);
    expect(await objects.open(ID, null)).toBeNull();
    expect(await objects.head(ID)).toBeNull();
  });
});

describe("a part of a kept image", () => {
  it.each<[string, R2Range, string]>([
    ["from the middle", { offset: 1, length: 3 }, "ell"],
    ["the first byte", { offset: 0, length: 1 }, "h"],
    ["the last byte", { offset: 4, length: 1 }, "o"],
    ["longer than there is", { offset: 3, length: 99 }, "lo"],
    ["open", { offset: 3 }, "lo"],
    ["the end", { suffix: 2 }, "lo"],
  ])("is read: %s", async (_, range, word) => {
    await put();
    const open = await objects.open(ID, range);
    expect(await text(open?.body)).toBe(word);
    expect(open?.image.size).toBe(5);
  });

  // Not the byte right behind the end: there the simulator fails without R2's own code.
  it.each([6, 10_000])("that begins behind its end is none: byte %i", async (offset) => {
    await put();
    expect(await objects.open(ID, { offset, length: 1 })).toBeNull();
  });

  it.each([0, 7, 5_000_000_000])("of an image in parts is its manifest, whole: byte %i", async (offset) => {
    const plan = { partBytes: 4_000_000_000, sums: ["a".repeat(64), "b".repeat(64)] };
    const size = 6_000_000_000;
    await objects.putManifest(ID, size, plan, { attempt: "mine", digest: await digestOf(HELLO), rangesFrom: 0 });
    const open = await objects.open(ID, { offset, length: 10 });
    expect(open?.image).toMatchObject({ kind: "manifest", size });
    expect(open === null ? null : await objects.readPlan(open)).toEqual(plan);
  });

  it("of nothing is none", async () => {
    expect(await objects.open(ID, { offset: 0, length: 1 })).toBeNull();
  });
});

describe("an object that no Fill has put", () => {
  it.each<[string, Record<string, string>]>([
    ["without metadata", {}],
    ["with another kind", { kind: "picture", attempt: "mine" }],
    ["without an attempt", { kind: "image" }],
    ["a manifest that does not say of what", { kind: "manifest", attempt: "mine" }],
  ])("is never opened, and is known as foreign: %s", async (_, customMetadata) => {
    await bucket.put(`images/${ID}`, HELLO, { customMetadata });
    expect(await objects.open(ID, null)).toBeNull();
    expect(await objects.open(ID, { offset: 0, length: 1 })).toBeNull();
    expect(await objects.head(ID)).toBe("foreign");
    expect((await objects.listAfter("")).foreign).toEqual([ID]);
  });

  it.each(["0", "-5", "1.5", "NaN", ""])("is no manifest where its image has %j bytes", async (size) => {
    const { algorithm, hex } = await digestOf(HELLO);
    await bucket.put(`images/${ID}`, HELLO, {
      customMetadata: { kind: "manifest", attempt: "mine", algorithm, hex, size },
    });
    expect(await objects.head(ID)).toBe("foreign");
  });

  it("is no manifest where it is larger than any, which would be read into memory whole", async () => {
    const digest = await digestOf(HELLO);
    const options = { attempt: "mine", digest, rangesFrom: 0 };
    await objects.putManifest(ID, 10, { partBytes: 10, sums: ["a".repeat(64)] }, options);
    const { customMetadata = {} } = (await bucket.head(`images/${ID}`)) ?? {};
    await bucket.put(`images/${ID}`, new Uint8Array(8 * 2 ** 20 + 1), { customMetadata });
    expect(await objects.head(ID)).toBe("foreign");
    expect(await objects.open(ID, null)).toBeNull();
  });

  it("is an image for its metadata alone, never for what it looks like", async () => {
    const manifest = Uint8Array.from(
      new TextEncoder().encode(JSON.stringify({ kind: "manifest", size: 99, parts: [] })),
    );
    await keep(ID, manifest);
    expect(await objects.head(ID)).toMatchObject({ kind: "image", size: manifest.byteLength });
  });
});

describe("a removal", () => {
  it("that R2 fails twice is tried again: what stays would be a hit", async () => {
    await put();
    let tries = 0;
    const failing = new ObjectStore(
      bucketBut({
        delete: async (id: string | string[]) => {
          if (++tries < 3) throw new Error("(10001) internal error");
          await bucket.delete(id);
        },
      }),
    );
    await failing.remove(ID);
    expect([tries, await objects.head(ID)]).toEqual([3, null]);
  });
});

describe("a copy of what a record describes", () => {
  const image = (change: Partial<StoredImage> = {}): StoredImage => ({
    imageId: ID,
    size: 5,
    attempt: "mine",
    digest: { algorithm: "sha512", hex: "a" },
    digests: { sha512: "a", md5: "c" },
    rangesFrom: 0,
    kind: "image",
    storedAt: 0,
    ...change,
  });
  const SHA512 = { algorithm: "sha512", hex: "a" } as const;

  it.each<[string, StoredImage, Digest, number | null, boolean]>([
    ["of the same digest and size", image(), SHA512, 5, true],
    ["of the same MD5, for v1", image(), { algorithm: "md5", hex: "c" }, 5, true],
    ["of a record that does not know its size", image(), SHA512, null, true],
    ["of another size", image({ size: 4 }), SHA512, 5, false],
    ["of another digest", image(), { algorithm: "sha512", hex: "b" }, 5, false],
    ["of a digest that R2 has not computed", image(), { algorithm: "sha256", hex: "a" }, 5, false],
    ["without digests", image({ digests: {} }), SHA512, 5, false],
  ])("%s: is it one?", (_, stored, digest, size, is) => {
    expect(isCopyOf(stored, digest, size)).toBe(is);
  });

  it("is no object that was shortened or replaced by hand under the metadata of a Fill", async () => {
    await put();
    const made = await bucket.head(`images/${ID}`);
    for (const word of ["hell", "jello"]) {
      await bucket.put(`images/${ID}`, word, { customMetadata: made?.customMetadata ?? {} });
      // R2's own digest of it is another one than that of the put that these metadata tell of.
      expect(await objects.head(ID)).toBe("foreign");
    }
  });
});

describe("the list of kept images", () => {
  it("is in the order of the ids, with what nobody has put apart", async () => {
    expect(await objects.listAfter("")).toEqual({ images: [], foreign: [], next: null });
    for (const imageId of ["c", "a"]) await keep(imageId, HELLO);
    await bucket.put("images/b", "by hand");
    await bucket.put("fills/a/one/0", "a slice");
    const { images, foreign, next } = await objects.listAfter("");
    expect(images.map(({ imageId, size, attempt }) => [imageId, size, attempt])).toEqual([
      ["a", 5, "mine"],
      ["c", 5, "mine"],
    ]);
    expect([foreign, next]).toEqual([["b"], null]);
    expect((await objects.listAfter("a")).images.map(({ imageId }) => imageId)).toEqual(["c"]);
  });

  it("comes in pages, and tells where the next one begins", async () => {
    // The simulator gives a hundred at a time where metadata are asked for.
    await Promise.all(Array.from({ length: 250 }, (_, at) => bucket.put(`images/${String(at).padStart(5, "0")}`, "x")));
    const found: string[] = [];
    let pages = 0;
    for (let next: string | null = ""; next !== null; pages++) {
      const page: Awaited<ReturnType<typeof objects.listAfter>> = await objects.listAfter(next);
      found.push(...page.foreign);
      expect(page.next === null || page.next === page.foreign.at(-1)).toBe(true);
      next = page.next;
    }
    expect(found).toHaveLength(250);
    expect(new Set(found).size).toBe(250);
    expect(pages).toBeGreaterThan(1);
  });
});

describe("an R2 that fails once", () => {
  const failing = (times: number, bytes = content(5)) => {
    vi.spyOn(scheduler, "wait").mockResolvedValue();
    let calls = 0;
    const once =
      <T>(call: () => Promise<T>) =>
      () =>
        ++calls <= times ? Promise.reject(new Error("R2 is down")) : call();
    const key = `images/${ID}`;
    return {
      store: new ObjectStore(bucketBut({ get: once(() => bucket.get(key)), head: once(() => bucket.head(key)) })),
      bytes,
    };
  };

  it("is asked again", async () => {
    await put();
    expect((await failing(1).store.open(ID, null))?.image.size).toBe(5);
    expect(await failing(1).store.head(ID)).toMatchObject({ size: 5 });
  });

  it("and once more is down", async () => {
    await expect(failing(2).store.open(ID, null)).rejects.toThrow("R2 is down");
    await expect(failing(2).store.head(ID)).rejects.toThrow("R2 is down");
  });
});
