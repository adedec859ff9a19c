import { beforeEach, describe, expect, it } from "vitest";
import type { StoredImage } from "../../src/store/catalog.ts";
import { bindings } from "../support/env.ts";
import { catalog, emptyStore, generations, imageIds, queue } from "../support/store.ts";

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

beforeEach(emptyStore);

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

describe("a commit", () => {
  it("takes the image out of the queue, and no other one", async () => {
    await queue.add("a", 1);
    await queue.add("b", 2);
    await catalog.commit(image("a"), 1_000);
    expect((await queue.list()).map(({ imageId }) => imageId)).toEqual(["b"]);
  });

  it("moves the room of its generation from the filling to the committed", async () => {
    await generations.reserve({ ...image("a"), generation: "first" }, 100, 500);
    expect(await generations.room()).toEqual({ committed: 0, filling: 20, removing: 0 });
    await catalog.commit(image("a"), 1_000);
    expect(await generations.room()).toEqual({ committed: 20, filling: 0, removing: 0 });
  });

  it("of a second copy leaves that one's room taken: its slices are still there", async () => {
    await catalog.commit(image("a"), 1_000);
    await generations.reserve({ ...image("b"), generation: "second" }, 100, 1_500);
    expect(await catalog.commit(image("b", { generation: "second" }), 2_000)).toBe("first");
    expect(await generations.room()).toEqual({ committed: 20, filling: 20, removing: 0 });
  });

  it("of a generation that was given up meanwhile is refused, and changes nothing", async () => {
    await catalog.commit(image("a", { blob: "sha256-b", generation: "before" }), 1_000);
    await queue.add("b", 1);
    await generations.reserve(image("b"), 100, 1_500);
    await generations.condemn("first", 1_600);
    await expect(catalog.commit(image("b"), 2_000)).rejects.toThrow("given up");
    // Nor may it take the place of what the image had before.
    await expect(catalog.commit(image("a"), 2_000)).rejects.toThrow("given up");
    expect(await catalog.find("b")).toBeNull();
    expect((await catalog.find("a"))?.generation).toBe("before");
    expect(await queue.has("b")).toBe(true);
    expect(await generations.room()).toEqual({ committed: 20, filling: 0, removing: 20 });
    expect(await generations.removing(9)).toEqual([{ blob: "sha256-a", generation: "first" }]);
  });

  it("that is refused fails alone: what others ask of the database meanwhile is answered", async () => {
    await generations.reserve(image("a"), 100, 1_500);
    await generations.condemn("first", 1_600);
    const refused = expect(catalog.commit(image("a"), 2_000)).rejects.toThrow("given up");
    expect(await Promise.all([catalog.list(), generations.room(), queue.list()])).toHaveLength(3);
    await refused;
  });

  it("of a copy that was given up is one of the copy that is stored, which stays", async () => {
    await catalog.commit(image("a"), 1_000);
    await generations.reserve(image("b", { generation: "second" }), 100, 1_500);
    await generations.condemn("second", 1_600);
    expect(await catalog.commit(image("b", { generation: "second" }), 2_000)).toBe("first");
    expect(await catalog.find("b")).toEqual(image("b"));
    expect(await generations.room()).toEqual({ committed: 20, filling: 0, removing: 20 });
  });

  it("counts as the first access, also of an image that goes over to another content", async () => {
    await catalog.commit(image("a"), 1_000);
    expect((await catalog.list())[0]).toMatchObject({ hits: 0, lastAccessed: 1_000, committedAt: 1_000 });
    await catalog.commit(image("a", { blob: "sha256-b", generation: "second" }), 2_000);
    expect((await catalog.list())[0]).toMatchObject({ hits: 0, lastAccessed: 2_000, committedAt: 2_000 });
  });

  it("lets nobody give up the blob as long as those may read it who shared the fill", async () => {
    await catalog.commit(image("a"), 1_000);
    expect((await generations.candidates(9))[0]?.inUseUntil).toBe(91_000);
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

  it("leaves the room taken until the slices have gone", async () => {
    await catalog.commit(image("a"), 1_000);
    await catalog.evict("a", 3_000);
    expect(await generations.room()).toEqual({ committed: 0, filling: 0, removing: 20 });
    expect(await generations.removing(9)).toEqual([{ blob: "sha256-a", generation: "first" }]);
    await generations.release(["first"]);
    expect(await generations.room()).toEqual({ committed: 0, filling: 0, removing: 0 });
  });

  it("of both images at once leaves one orphan", async () => {
    await catalog.commit(image("a"), 1_000);
    await catalog.commit(image("b"), 1_000);
    const answers = await Promise.all([catalog.evict("a", 3_000), catalog.evict("b", 3_000)]);
    expect(answers.filter(({ orphan }) => orphan !== null)).toHaveLength(1);
    expect(answers.every(({ found }) => found)).toBe(true);
  });
});

describe("blobs that no image has any more", () => {
  it("are taken out, and leave their room taken until their slices have gone", async () => {
    await catalog.commit(image("a"), 1_000);
    await catalog.commit(image("b", { blob: "sha256-b", generation: "kept" }), 1_000);
    expect(await catalog.evictUnowned(2_000)).toEqual([]);
    await catalog.commit(image("a", { blob: "sha256-b", generation: "kept" }), 3_000);
    expect(await catalog.evictUnowned(4_000)).toEqual([{ blob: "sha256-a", generation: "first" }]);
    expect(await generations.room()).toEqual({ committed: 20, filling: 0, removing: 20 });
    expect(await catalog.evictUnowned(5_000)).toEqual([]);
    expect(await imageIds()).toEqual(["a", "b"]);
  });

  it("are no others, though an image takes the content again at that moment", async () => {
    for (let round = 0; round < 10; round++) {
      await emptyStore();
      await catalog.commit(image("a"), 1_000);
      await catalog.commit(image("a", { blob: "sha256-b", generation: "second" }), 2_000);
      // The commit is of a generation of its own, as that of any fill.
      const [orphans, kept] = await Promise.all([
        catalog.evictUnowned(3_000),
        catalog.commit(image("b", { generation: "third" }), 3_000),
      ]);
      expect(orphans).toEqual(kept === "first" ? [] : [{ blob: "sha256-a", generation: "first" }]);
      expect((await catalog.find("b"))?.generation).toBe(kept);
      expect((await generations.removing(9)).map(({ generation }) => generation)).not.toContain(kept);
    }
  });
});
