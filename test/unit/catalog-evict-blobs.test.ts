/** Taking out blobs, with all images that have them. */
import { beforeEach, describe, expect, it } from "vitest";
import type { StoredImage } from "../../src/store/catalog.ts";
import { catalog, emptyStore, generations, imageIds, use } from "../support/store.ts";

const NOW = 1_000_000;

const commit = (imageId: string, content: string, size = 10) => {
  const image: StoredImage = {
    imageId,
    blob: `sha256-${content}`,
    checksum: null,
    generation: `g-${content}`,
    size,
    sliceBytes: 16,
    etags: ["e"],
  };
  return catalog.commit(image, 0);
};

beforeEach(emptyStore);

describe("an eviction of blobs", () => {
  it("takes out these blobs with all their images, and no others", async () => {
    await commit("a", "one", 10);
    await commit("b", "one", 10);
    await commit("c", "two", 20);
    await commit("d", "three", 40);
    const evicted = await catalog.evictBlobs(["g-one", "g-two"], "none", NOW);
    expect({ ...evicted, orphans: [...evicted.orphans].sort(byName), images: [...evicted.images].sort() }).toEqual({
      orphans: [
        { blob: "sha256-one", generation: "g-one" },
        { blob: "sha256-two", generation: "g-two" },
      ],
      bytes: 30,
      images: ["a", "b", "c"],
    });
    expect(await imageIds()).toEqual(["d"]);
    expect(await generations.room()).toEqual({ committed: 40, filling: 0, removing: 30 });
  });

  it("leaves what it condemned counting until it is released", async () => {
    await commit("a", "one", 10);
    await catalog.evictBlobs(["g-one"], "none", NOW);
    expect(await generations.reserve({ blob: "x", generation: "x", imageId: "x", size: 91 }, 100, NOW)).toBe(false);
    await generations.release(["g-one"]);
    expect(await generations.reserve({ blob: "x", generation: "x", imageId: "x", size: 91 }, 100, NOW)).toBe(true);
  });

  it("finds nothing under a generation that the catalog does not name any more", async () => {
    await commit("a", "one");
    await catalog.evict("a", NOW);
    await generations.release(["g-one"]);
    expect(await catalog.evictBlobs(["g-one", "g-never"], "none", NOW)).toEqual({ orphans: [], bytes: 0, images: [] });
    expect(await generations.room()).toEqual({ committed: 0, filling: 0, removing: 0 });
  });

  it("touches no fill of another generation of the same content", async () => {
    await commit("a", "one");
    await generations.reserve({ blob: "sha256-one", generation: "second", imageId: "b", size: 10 }, 100, NOW);
    await catalog.evictBlobs(["g-one"], "none", NOW);
    expect((await generations.filling(9)).map(({ generation }) => generation)).toEqual(["second"]);
  });

  it("of nothing is nothing", async () => {
    await commit("a", "one");
    expect(await catalog.evictBlobs([], "none", NOW)).toEqual({ orphans: [], bytes: 0, images: [] });
    expect(await imageIds()).toEqual(["a"]);
  });

  it("of a blob that no image has takes it out", async () => {
    await commit("a", "one", 10);
    await commit("a", "two", 20);
    expect(await catalog.evictBlobs(["g-one"], "in-use", NOW)).toEqual({
      orphans: [{ blob: "sha256-one", generation: "g-one" }],
      bytes: 10,
      images: [],
    });
    expect(await imageIds()).toEqual(["a"]);
  });
});

describe("what is in use", () => {
  it("is spared when it is to be, up to that very moment", async () => {
    await commit("a", "one");
    await use("a", 0, NOW + 1);
    expect((await catalog.evictBlobs(["g-one"], "in-use", NOW)).orphans).toEqual([]);
    expect(await imageIds()).toEqual(["a"]);
    expect((await catalog.evictBlobs(["g-one"], "in-use", NOW + 1)).images).toEqual(["a"]);
  });

  it("is spared if only one of its images is read", async () => {
    await commit("a", "one");
    await commit("b", "one");
    await use("b", 0, NOW + 1);
    expect((await catalog.evictBlobs(["g-one"], "in-use", NOW)).orphans).toEqual([]);
    expect(await imageIds()).toEqual(["a", "b"]);
  });

  it("spares no other blob of the same call", async () => {
    await commit("a", "one");
    await commit("b", "two");
    await use("a", 0, NOW + 1);
    expect((await catalog.evictBlobs(["g-one", "g-two"], "in-use", NOW)).images).toEqual(["b"]);
    expect(await imageIds()).toEqual(["a"]);
  });

  it("goes as well when nothing is to be spared", async () => {
    await commit("a", "one");
    await use("a", 0, NOW + 1);
    expect((await catalog.evictBlobs(["g-one"], "none", NOW)).images).toEqual(["a"]);
  });
});

function byName(a: { readonly blob: string }, b: { readonly blob: string }): number {
  return a.blob < b.blob ? -1 : 1;
}
