/** The clean without a fill under way; with one: test/edge/clean-fills.test.ts. */
import { beforeEach, describe, expect, it } from "vitest";
import { SliceStore } from "../../src/store/slices.ts";
import { type Cleaned, clean } from "../../src/upkeep/clean.ts";
import { bucketBut } from "../support/bindings.ts";
import { bindings } from "../support/env.ts";
import {
  catalog,
  emptyStore,
  generations,
  imageIds,
  objectKeys,
  sliceKey,
  storeImage,
  storeSlices,
} from "../support/store.ts";
import { keepLines, NEVER, NOW, type UpkeepTools, unreachableFills, upkeepTools } from "../support/upkeep.ts";

const NOTHING: Cleaned = { stalled: 0, condemned: 0, orphans: 0, rows: 0, finished: true };
const lines = keepLines();
const run = (other: Partial<UpkeepTools> = {}) => clean(upkeepTools({}, other), NEVER);
const keysOf = async (...stored: Parameters<typeof sliceKey>[0][]) =>
  (await objectKeys()).filter((key) => stored.some((one) => key.startsWith(`blobs/${one.blob}/${one.generation}/`)));

beforeEach(emptyStore);

describe("the clean of a store in order", () => {
  it("takes nothing", async () => {
    await storeImage("a");
    await storeImage("b");
    const before = await objectKeys();
    expect(await run()).toEqual(NOTHING);
    expect(await objectKeys()).toEqual(before);
    expect(await imageIds()).toEqual(["a", "b"]);
    expect(await generations.room()).toEqual({ committed: 20, filling: 0, removing: 0 });
  });

  it("that is empty ends at once", async () => {
    expect(await run()).toEqual(NOTHING);
  });
});

describe("slices that nothing names", () => {
  it("go, all of their generation and nothing else", async () => {
    const stored = await storeImage("a");
    const orphan = await storeSlices("b");
    // Another generation of a content that is stored.
    const second = { ...stored, generation: "second" };
    await bindings.BUCKET.put(sliceKey(second, 0), "x");
    expect(await run()).toEqual({ ...NOTHING, orphans: 2 });
    expect(await keysOf(orphan, second)).toEqual([]);
    expect(await keysOf(stored)).toHaveLength(5);
    expect(
      lines("clean.orphan")
        .map(({ generation }) => generation)
        .sort(),
    ).toEqual([orphan.generation, "second"].sort());
    expect(await run()).toEqual(NOTHING);
  });

  it("go though there are more than one list of R2 gives, and what is stored between them stays", async () => {
    const pages = new SliceStore(
      bucketBut({ list: (options: R2ListOptions) => bindings.BUCKET.list({ ...options, limit: 2 }) }),
    );
    const images = ["a", "b", "c", "d"];
    const stored = await Promise.all(images.map((imageId) => storeImage(imageId)));
    await Promise.all(["e", "f", "g", "h"].map((imageId) => storeSlices(imageId)));
    expect(await run({ slices: pages })).toEqual({ ...NOTHING, orphans: 4 });
    expect(await keysOf(...stored)).toHaveLength(20);
    expect(await objectKeys()).toHaveLength(20);
  });

  it("are only looked for among what is the edge's own", async () => {
    await bindings.BUCKET.put("backup/of/something", "x");
    await bindings.BUCKET.put("blobs", "x");
    expect(await run()).toEqual(NOTHING);
    expect(await objectKeys()).toEqual(["backup/of/something", "blobs"]);
  });
});

describe("generations that are said to be filled", () => {
  const reserve = (image: Awaited<ReturnType<typeof storeSlices>>) => generations.reserve(image, 1_000, 0);

  it("go when their Fill knows nothing of them", async () => {
    const lost = await storeSlices("a");
    await reserve(lost);
    expect(await run()).toEqual({ ...NOTHING, condemned: 1 });
    expect(await objectKeys()).toEqual([]);
    expect(await generations.room()).toEqual({ committed: 0, filling: 0, removing: 0 });
    expect(lines("clean.abandoned")).toMatchObject([{ image_id: "a", generation: lost.generation }]);
  });

  it("stay when their Fill can't be asked", async () => {
    const filling = await storeSlices("a");
    await reserve(filling);
    expect(await run({ fills: unreachableFills })).toEqual(NOTHING);
    expect(await keysOf(filling)).toHaveLength(5);
    expect(await generations.room()).toEqual({ committed: 0, filling: 10, removing: 0 });
  });

  it("stay when they are committed before they can be given up, and nobody says otherwise", async () => {
    const filling = await storeSlices("a");
    await reserve(filling);
    // Its Fill has become another one's meanwhile: the commit was its last word.
    const clean = async () => {
      await catalog.commit(filling, NOW);
      return "unknown";
    };
    const fills = new Proxy(bindings.FILL, {
      get(target, name) {
        if (name === "get") return () => ({ clean });
        const value: unknown = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    expect(await run({ fills })).toEqual(NOTHING);
    expect(await imageIds()).toEqual(["a"]);
    expect(await keysOf(filling)).toHaveLength(5);
    expect(lines("clean.abandoned")).toEqual([]);
  });

  it("go though none of their slices was stored", async () => {
    await generations.reserve({ blob: "sha256-a", generation: "a", imageId: "a", size: 10 }, 1_000, 0);
    expect(await run()).toEqual({ ...NOTHING, condemned: 1 });
    expect(await generations.room()).toEqual({ committed: 0, filling: 0, removing: 0 });
  });
});

describe("what a run that died has left", () => {
  it("is removed: slices of what was given up", async () => {
    const image = await storeImage("a");
    await catalog.evict("a", NOW);
    expect(await keysOf(image)).toHaveLength(5);
    expect(await run()).toEqual({ ...NOTHING, condemned: 1 });
    expect(await objectKeys()).toEqual([]);
    expect(await generations.removing(9)).toEqual([]);
  });

  it("is removed: the row of what has no slices any more", async () => {
    const { blob, generation } = await storeImage("a");
    await catalog.evict("a", NOW);
    await new SliceStore(bindings.BUCKET).removeGeneration(blob, generation);
    expect(await run()).toEqual({ ...NOTHING, condemned: 1 });
    expect(await generations.removing(9)).toEqual([]);
  });

  it("stays when R2 refuses, and goes with the next run", async () => {
    const image = await storeImage("a");
    await catalog.evict("a", NOW);
    const slices = new SliceStore(bucketBut({ delete: () => Promise.reject(new Error("R2 is down")) }));
    await run({ slices });
    expect(lines("store.remove-failed")).toHaveLength(1);
    expect(await generations.room()).toEqual({ committed: 0, filling: 0, removing: 10 });
    expect(await keysOf(image)).toHaveLength(5);
    await run();
    expect(await generations.room()).toEqual({ committed: 0, filling: 0, removing: 0 });
    expect(await objectKeys()).toEqual([]);
  });

  it("is removed: a blob that no image has", async () => {
    const before = await storeImage("a", { seed: "before" });
    const after = await storeImage("a", { seed: "after" });
    expect(await run()).toEqual({ ...NOTHING, condemned: 1 });
    expect(await keysOf(before)).toEqual([]);
    expect(await keysOf(after)).toHaveLength(5);
    expect(await generations.room()).toEqual({ committed: 10, filling: 0, removing: 0 });
  });
});

describe("rows", () => {
  it("whose slices are all gone go, with all images that have them", async () => {
    const image = await storeImage("a", { seed: "same" });
    await catalog.commit({ ...image, imageId: "b" }, 0);
    const kept = await storeImage("c");
    await new SliceStore(bindings.BUCKET).removeGeneration(image.blob, image.generation);
    expect(await run()).toMatchObject({ rows: 2, finished: true });
    expect(await imageIds()).toEqual(["c"]);
    expect(await generations.room()).toEqual({ committed: 10, filling: 0, removing: 0 });
    expect(await keysOf(kept)).toHaveLength(5);
    expect(
      lines("image.evicted")
        .map(({ image_id, why }) => [image_id, why])
        .sort(),
    ).toEqual([
      ["a", "its slices are gone"],
      ["b", "its slices are gone"],
    ]);
  });

  it("that lack a slice stay: the next download mends them", async () => {
    const image = await storeImage("a");
    await bindings.BUCKET.delete(sliceKey(image, 0));
    expect(await run()).toEqual(NOTHING);
    expect(await imageIds()).toEqual(["a"]);
  });

  it("of which only the slices of another generation are there go", async () => {
    const image = await storeImage("a");
    await new SliceStore(bindings.BUCKET).removeGeneration(image.blob, image.generation);
    await bindings.BUCKET.put(sliceKey({ ...image, generation: "other" }, 0), "x");
    expect(await run()).toEqual({ ...NOTHING, rows: 1, orphans: 1 });
    expect(await objectKeys()).toEqual([]);
  });
});
