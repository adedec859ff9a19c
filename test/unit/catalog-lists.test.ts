/** What the catalog tells of what is stored, and of its use. */
import { beforeEach, describe, expect, it } from "vitest";
import { bindings } from "../support/env.ts";
import { catalog, emptyStore, indexOnly } from "../support/store.ts";

const commit = (imageId: string, at: number) => catalog.keep({ imageId, attempt: imageId, size: 10 }, at);
const inUseUntil = (imageId: string) =>
  bindings.CATALOG.prepare("SELECT in_use_until FROM images WHERE image_id = ?").bind(imageId).first("in_use_until");

beforeEach(emptyStore);

describe("the list of stored images", () => {
  it("is empty at first", async () => {
    expect(await catalog.list()).toEqual([]);
  });

  it("begins with the least recently used, and one that nobody has read counts from its commit", async () => {
    await commit("a", 1_000);
    await commit("b", 2_000);
    await commit("c", 3_000);
    await catalog.recordUse([{ imageId: "a", hits: 2, lastAccessed: 2_500, inUseUntil: 0 }]);
    expect(await catalog.list()).toEqual([
      { imageId: "b", size: 10, hits: 0, lastAccessed: 2_000, committedAt: 2_000 },
      { imageId: "a", size: 10, hits: 2, lastAccessed: 2_500, committedAt: 1_000 },
      { imageId: "c", size: 10, hits: 0, lastAccessed: 3_000, committedAt: 3_000 },
    ]);
  });

  it("goes by the id where times are the same, and is whole though D1 gives it in pages", async () => {
    const ids = Array.from({ length: 10_001 }, (_, index) => `image-${String(index).padStart(5, "0")}`);
    await indexOnly(ids.toReversed());
    await bindings.CATALOG.prepare("UPDATE images SET last_accessed = 1").run();
    expect((await catalog.list()).map(({ imageId }) => imageId)).toEqual(ids);
  });
});

describe("what was cleared", () => {
  it("is listed no more, and all that is kept afterwards is", async () => {
    await commit("a", 1_000);
    await commit("b", 2_000);
    expect(await catalog.clear(2_000)).toBe(2);
    await commit("c", 2_001);
    expect((await catalog.list()).map(({ imageId }) => imageId)).toEqual(["c"]);
    expect([await catalog.has("a"), await catalog.has("c")]).toEqual([false, true]);
    expect(await Promise.all(["a", "c", "d"].map((id) => catalog.standing(id)))).toEqual(["cleared", "kept", "none"]);
    expect(await catalog.clear(3_000)).toBe(1);
  });

  it("is told of by its commit, from any place on, until it is gone", async () => {
    await commit("b", 1_000);
    await commit("a", 1_000);
    await commit("c", 500);
    await catalog.clear(2_000);
    const ids = async (at: number, imageId: string, limit = 9) =>
      (await catalog.cleared({ at, imageId }, limit)).map((place) => place.imageId);
    expect(await ids(-1, "")).toEqual(["c", "a", "b"]);
    expect(await ids(-1, "", 2)).toEqual(["c", "a"]);
    expect(await ids(1_000, "a")).toEqual(["b"]);
    await catalog.remove("a");
    expect(await ids(-1, "")).toEqual(["c", "b"]);
  });

  it("and kept again is listed", async () => {
    await commit("a", 1_000);
    await catalog.clear(2_000);
    await catalog.keep({ imageId: "a", attempt: "second", size: 20 }, 3_000);
    expect(await catalog.list()).toMatchObject([{ imageId: "a", size: 20, committedAt: 3_000 }]);
  });
});

describe("use", () => {
  it("is added up, all images in one call", async () => {
    await commit("a", 0);
    await commit("b", 0);
    await catalog.recordUse([
      { imageId: "a", hits: 3, lastAccessed: 10, inUseUntil: 100_000 },
      { imageId: "b", hits: 1, lastAccessed: 20, inUseUntil: 200_000 },
    ]);
    await catalog.recordUse([{ imageId: "a", hits: 4, lastAccessed: 30, inUseUntil: 300_000 }]);
    expect(await catalog.list()).toMatchObject([
      { imageId: "b", hits: 1, lastAccessed: 20 },
      { imageId: "a", hits: 7, lastAccessed: 30 },
    ]);
    expect([await inUseUntil("a"), await inUseUntil("b")]).toEqual([300_000, 200_000]);
  });

  it("that comes late, from another isolate, takes no time back but its hits count", async () => {
    await commit("a", 0);
    await catalog.recordUse([{ imageId: "a", hits: 1, lastAccessed: 50, inUseUntil: 500_000 }]);
    await catalog.recordUse([{ imageId: "a", hits: 1, lastAccessed: 40, inUseUntil: 400_000 }]);
    expect(await catalog.list()).toMatchObject([{ hits: 2, lastAccessed: 50 }]);
    expect(await inUseUntil("a")).toBe(500_000);
  });

  it("without a hit only keeps the image in use", async () => {
    await commit("a", 0);
    await catalog.recordUse([{ imageId: "a", hits: 0, lastAccessed: 50, inUseUntil: 500_000 }]);
    expect(await catalog.list()).toMatchObject([{ hits: 0, lastAccessed: 50 }]);
    expect(await inUseUntil("a")).toBe(500_000);
  });

  it("of an image that was evicted meanwhile brings it not back", async () => {
    await commit("a", 0);
    await catalog.recordUse([
      { imageId: "gone", hits: 1, lastAccessed: 50, inUseUntil: 0 },
      { imageId: "a", hits: 1, lastAccessed: 50, inUseUntil: 0 },
    ]);
    expect(await catalog.list()).toMatchObject([{ imageId: "a", hits: 1 }]);
  });

  it("of nothing is no error", async () => {
    await commit("a", 0);
    await catalog.recordUse([]);
    expect(await catalog.list()).toMatchObject([{ imageId: "a", hits: 0 }]);
  });

  it("of a thousand images fits into one call", async () => {
    await commit("a", 0);
    const uses = Array.from({ length: 1_000 }, () => ({ hits: 1, lastAccessed: 1, inUseUntil: 1 }));
    await catalog.recordUse([
      ...uses.map((use) => ({ ...use, imageId: crypto.randomUUID() })),
      { imageId: "a", hits: 5, lastAccessed: 7, inUseUntil: 0 },
    ]);
    expect(await catalog.list()).toMatchObject([{ hits: 5, lastAccessed: 7 }]);
  });
});
