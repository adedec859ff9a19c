import { beforeEach, describe, expect, it } from "vitest";
import { Catalog, type StoredImage } from "../../src/store/catalog.ts";
import { bindings } from "../support/env.ts";

const catalog = new Catalog(bindings.CATALOG);
const image = (imageId: string, change: Partial<StoredImage> = {}): StoredImage => ({
  imageId,
  blob: "sha256-a",
  checksum: "c".repeat(32),
  generation: "first",
  size: 20,
  sliceBytes: 16,
  etags: ["e0", "e1", "e2"],
  ...change,
});

beforeEach(async () => {
  await bindings.CATALOG.batch(["images", "blobs"].map((table) => bindings.CATALOG.prepare(`DELETE FROM ${table}`)));
});

describe("the catalog", () => {
  it("does not know what was never committed", async () => {
    expect(await catalog.find("a")).toBeNull();
  });

  it("gives back what was committed, etags in order", async () => {
    expect(await catalog.commit(image("a"), 1_000)).toBe("first");
    expect(await catalog.find("a")).toEqual(image("a"));
  });

  it("keeps a record without a checksum", async () => {
    await catalog.commit(image("a", { checksum: null }), 1_000);
    expect((await catalog.find("a"))?.checksum).toBeNull();
  });

  it("keeps sizes beyond 32 bits", async () => {
    await catalog.commit(image("a", { size: 2 ** 40 + 1 }), 1_000);
    expect((await catalog.find("a"))?.size).toBe(2 ** 40 + 1);
  });

  it("keeps the first generation of a content that two images have", async () => {
    await catalog.commit(image("a"), 1_000);
    expect(await catalog.commit(image("b", { generation: "second", etags: ["other"] }), 2_000)).toBe("first");
    expect(await catalog.find("b")).toEqual(image("b"));
  });

  it("takes the same commit twice", async () => {
    await catalog.commit(image("a"), 1_000);
    expect(await catalog.commit(image("a"), 2_000)).toBe("first");
    expect(await catalog.find("a")).toEqual(image("a"));
  });

  it("lets an image go over to another content", async () => {
    await catalog.commit(image("a"), 1_000);
    await catalog.commit(image("a", { blob: "sha256-b", generation: "second" }), 2_000);
    expect(await catalog.find("a")).toEqual(image("a", { blob: "sha256-b", generation: "second" }));
  });

  it("commits all or nothing", async () => {
    const broken = image("a", { size: Number.NaN });
    await expect(catalog.commit(broken, 1_000)).rejects.toThrow();
    expect(await bindings.CATALOG.prepare("SELECT blob FROM blobs").first()).toBeNull();
    expect(await catalog.find("a")).toBeNull();
  });
});

describe("an eviction", () => {
  it("takes an image out and gives its slices to remove", async () => {
    await catalog.commit(image("a"), 1_000);
    const orphan = { blob: "sha256-a", generation: "first" };
    expect(await catalog.evict("a", 3_000)).toEqual({ found: true, orphan });
    expect(await catalog.find("a")).toBeNull();
    expect(await bindings.CATALOG.prepare("SELECT blob FROM blobs").first()).toBeNull();
  });

  it("keeps a shared content until its last image goes", async () => {
    await catalog.commit(image("a"), 1_000);
    await catalog.commit(image("b", { generation: "second" }), 2_000);
    expect(await catalog.evict("a", 3_000)).toEqual({ found: true, orphan: null });
    expect(await catalog.find("a")).toBeNull();
    expect(await catalog.find("b")).toEqual(image("b"));
    expect(await catalog.evict("b", 3_000)).toEqual({ found: true, orphan: { blob: "sha256-a", generation: "first" } });
  });

  it("of an unknown image finds nothing and touches nothing", async () => {
    await catalog.commit(image("a"), 1_000);
    expect(await catalog.evict("b", 3_000)).toEqual({ found: false, orphan: null });
    expect(await catalog.find("a")).toEqual(image("a"));
  });

  it("of both images at once leaves one orphan", async () => {
    await catalog.commit(image("a"), 1_000);
    await catalog.commit(image("b"), 1_000);
    const answers = await Promise.all([catalog.evict("a", 3_000), catalog.evict("b", 3_000)]);
    expect(answers.filter(({ orphan }) => orphan !== null)).toHaveLength(1);
    expect(answers.every(({ found }) => found)).toBe(true);
  });
});
