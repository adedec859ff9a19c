import { beforeEach, describe, expect, it } from "vitest";
import { Generations, type Room } from "../../src/store/generations.ts";
import { SliceStore } from "../../src/store/slices.ts";
import { removeCondemned, type Store } from "../../src/store/store.ts";
import { type Pruned, prune } from "../../src/upkeep/prune.ts";
import { bucketBut } from "../support/bindings.ts";
import { bindings } from "../support/env.ts";
import { catalog, emptyStore, generations, imageIds, objectKeys, store, storeImage, use } from "../support/store.ts";
import { clockThatJumps, keepLines, NEVER, NOW } from "../support/upkeep.ts";

const lines = keepLines();

/** Prunes with all the time that it takes. */
const run = (cap: number, { store: of = store, now = NOW }: { store?: Store; now?: number } = {}): Promise<Pruned> =>
  prune(of, cap, () => now, NEVER);

beforeEach(emptyStore);

/** Three images of 10 bytes each, the oldest first. */
async function storeThree(): Promise<void> {
  await storeImage("old", { at: 1_000 });
  await storeImage("middle", { at: 2_000 });
  await storeImage("new", { at: 3_000 });
}

describe("pruning", () => {
  it("does nothing as long as all is within the cap", async () => {
    await storeThree();
    expect(await run(30)).toEqual({ files: 0, bytes: 0 });
    expect(await imageIds()).toEqual(["middle", "new", "old"]);
  });

  it("gives up the least recently used, no more than needed, rows and slices", async () => {
    await storeThree();
    expect(await run(29)).toEqual({ files: 1, bytes: 10 });
    expect(await imageIds()).toEqual(["middle", "new"]);
    expect(await generations.room()).toEqual({ committed: 20, filling: 0, removing: 0 });
    expect(await objectKeys()).toHaveLength(10);
    expect(lines("image.evicted")).toMatchObject([{ image_id: "old", why: "room is needed" }]);
  });

  it("goes by the last access, not by the age, and one that nobody ever read counts from its commit", async () => {
    await storeThree();
    await use("old", 2_500);
    expect(await run(20)).toEqual({ files: 1, bytes: 10 });
    expect(await imageIds()).toEqual(["new", "old"]);
    expect(await run(10)).toEqual({ files: 1, bytes: 10 });
    expect(await imageIds()).toEqual(["new"]);
  });

  it("follows a cap that was lowered by much", async () => {
    await storeThree();
    expect(await run(10)).toEqual({ files: 2, bytes: 20 });
    expect(await imageIds()).toEqual(["new"]);
  });

  it("to a cap of 0 empties the store", async () => {
    await storeThree();
    expect(await run(0)).toEqual({ files: 3, bytes: 30 });
    expect(await imageIds()).toEqual([]);
    expect(await objectKeys()).toEqual([]);
    expect(await generations.room()).toEqual({ committed: 0, filling: 0, removing: 0 });
  });

  it("spares what is in use, up to that very moment, and takes the next one instead", async () => {
    await storeThree();
    await use("old", 1_000, NOW + 1);
    expect(await run(20)).toEqual({ files: 1, bytes: 10 });
    expect(await imageIds()).toEqual(["new", "old"]);
    expect(await run(10, { now: NOW + 1 })).toEqual({ files: 1, bytes: 10 });
    expect(await imageIds()).toEqual(["new"]);
  });

  it("ends when everything is in use", async () => {
    await storeThree();
    for (const imageId of await imageIds()) await use(imageId, 1_000, NOW + 1);
    expect(await run(0)).toEqual({ files: 0, bytes: 0 });
    expect(await imageIds()).toHaveLength(3);
  });

  it("counts all images of a content, and its bytes once", async () => {
    const image = await storeImage("a", { seed: "same" });
    await catalog.commit({ ...image, imageId: "b" }, 0);
    expect(await run(0)).toEqual({ files: 2, bytes: 10 });
    expect(await imageIds()).toEqual([]);
  });

  it("begins with blobs that no image has any more", async () => {
    await storeImage("a", { seed: "before", at: 9_000 });
    await storeImage("b", { at: 1_000 });
    await storeImage("a", { seed: "after", at: 9_000 });
    expect(await run(20)).toEqual({ files: 0, bytes: 10 });
    expect(await imageIds()).toEqual(["a", "b"]);
  });

  it("makes room for a fill that is under way, which it does not touch", async () => {
    await storeThree();
    await generations.reserve({ blob: "sha256-x", generation: "x", imageId: "x", size: 15 }, 45, NOW);
    expect(await run(30)).toEqual({ files: 2, bytes: 20 });
    expect(await generations.room()).toEqual({ committed: 10, filling: 15, removing: 0 });
  });

  it("gives up nothing more for what is being removed anyway", async () => {
    await storeThree();
    await catalog.evict("old", NOW);
    expect(await run(20)).toEqual({ files: 0, bytes: 0 });
    expect(await imageIds()).toEqual(["middle", "new"]);
  });
});

describe("pruning ends", () => {
  it("when fills alone are above the cap", async () => {
    await storeThree();
    await generations.reserve({ blob: "sha256-x", generation: "x", imageId: "x", size: 1_000 }, 2_000, NOW);
    expect(await run(30)).toEqual({ files: 3, bytes: 30 });
  });

  it("when the figures say that there is more than there is", async () => {
    class Lying extends Generations {
      override async room(): Promise<Room> {
        return { committed: 10 ** 15, filling: 0, removing: 0 };
      }
    }
    await storeThree();
    const lying = { ...store, generations: new Lying(bindings.CATALOG) };
    expect(await run(30, { store: lying })).toEqual({ files: 3, bytes: 30 });
    expect(await run(30, { store: lying })).toEqual({ files: 0, bytes: 0 });
  });

  it("when R2 removes nothing: the room stays taken, and the slices go another time", async () => {
    const stuck = new SliceStore(bucketBut({ delete: () => Promise.reject(new Error("R2 is down")) }));
    const { blob, generation } = await storeImage("a");
    expect(await run(0, { store: { ...store, slices: stuck } })).toEqual({ files: 1, bytes: 10 });
    expect(lines("store.remove-failed")).toMatchObject([{ blob, generation, error: "Error: R2 is down" }]);
    expect(await generations.room()).toEqual({ committed: 0, filling: 0, removing: 10 });
    await removeCondemned(store, await generations.removing(9));
    expect(await generations.room()).toEqual({ committed: 0, filling: 0, removing: 0 });
    expect(await objectKeys()).toEqual([]);
  });
});

describe("a prune whose time is over", () => {
  const SOON = NOW + 60_000;

  it("before it began gives up nothing and removes nothing", async () => {
    await storeThree();
    await catalog.evict("old", NOW);
    expect(await prune(store, 0, () => NOW, NOW)).toEqual({ files: 0, bytes: 0 });
    expect(await imageIds()).toEqual(["middle", "new"]);
    expect(await objectKeys()).toHaveLength(15);
  });

  it("after the rows leaves the slices to the next run, and they count as room taken until then", async () => {
    await storeThree();
    // A look before the rows are given up; the time is over when they are.
    expect(await prune(store, 10, clockThatJumps(2), SOON)).toEqual({ files: 2, bytes: 20 });
    expect(await imageIds()).toEqual(["new"]);
    expect(await generations.room()).toEqual({ committed: 10, filling: 0, removing: 20 });
    expect(await objectKeys()).toHaveLength(15);
    expect(await run(10)).toEqual({ files: 0, bytes: 0 });
    expect(await generations.room()).toEqual({ committed: 10, filling: 0, removing: 0 });
    expect(await objectKeys()).toHaveLength(5);
  });

  it("ends after the step that it is in: a hundred generations, and the others next time", async () => {
    await condemnMany(250);
    const gone: number[] = [];
    for (let before = 250; before > 0 && gone.length < 9; ) {
      let removals = 0;
      const counting = new SliceStore(
        bucketBut({
          list: (options: R2ListOptions) => {
            removals++;
            return bindings.BUCKET.list(options);
          },
        }),
      );
      // The clock passes the deadline when the first one is removed.
      const now = () => (removals > 0 ? SOON : NOW);
      await prune({ ...store, slices: counting }, 1_000, now, SOON);
      const left = (await generations.removing(999)).length;
      gone.push(before - left);
      expect(removals).toBe(before - left);
      before = left;
    }
    expect(gone).toEqual([100, 100, 50]);
  });
});

/** Generations that were given up, none of which has a slice. */
async function condemnMany(count: number): Promise<void> {
  await bindings.CATALOG.prepare(
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
     INSERT INTO generations SELECT 'g-' || i, 'sha256-' || i, 'image', 1, 'removing', i FROM n`,
  )
    .bind(count)
    .run();
}
