import { beforeEach, describe, expect, it } from "vitest";
import { Generations, type Room } from "../../src/store/generations.ts";
import { SliceStore } from "../../src/store/slices.ts";
import { removeCondemned } from "../../src/store/store.ts";
import { giveUp, prune } from "../../src/upkeep/prune.ts";
import { bucketBut } from "../support/bindings.ts";
import { bindings } from "../support/env.ts";
import {
  catalog,
  emptyStore,
  generations,
  imageIds,
  objectKeys,
  sliceKey,
  store,
  storeImage,
  use,
} from "../support/store.ts";
import { keepLines, NOW } from "../support/upkeep.ts";

const lines = keepLines();

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
    expect(await prune(store, 30, NOW)).toEqual({ files: 0, bytes: 0 });
    expect(await imageIds()).toEqual(["middle", "new", "old"]);
  });

  it("gives up the least recently used, no more than needed, rows and slices", async () => {
    await storeThree();
    expect(await prune(store, 29, NOW)).toEqual({ files: 1, bytes: 10 });
    expect(await imageIds()).toEqual(["middle", "new"]);
    expect(await generations.room()).toEqual({ committed: 20, filling: 0, removing: 0 });
    expect(await objectKeys()).toHaveLength(10);
    expect(lines("image.evicted")).toMatchObject([{ image_id: "old", why: "room is needed" }]);
  });

  it("goes by the last access, not by the age, and one that nobody ever read counts from its commit", async () => {
    await storeThree();
    await use("old", 2_500);
    expect(await prune(store, 20, NOW)).toEqual({ files: 1, bytes: 10 });
    expect(await imageIds()).toEqual(["new", "old"]);
    expect(await prune(store, 10, NOW)).toEqual({ files: 1, bytes: 10 });
    expect(await imageIds()).toEqual(["new"]);
  });

  it("follows a cap that was lowered by much", async () => {
    await storeThree();
    expect(await prune(store, 10, NOW)).toEqual({ files: 2, bytes: 20 });
    expect(await imageIds()).toEqual(["new"]);
  });

  it("to a cap of 0 empties the store", async () => {
    await storeThree();
    expect(await prune(store, 0, NOW)).toEqual({ files: 3, bytes: 30 });
    expect(await imageIds()).toEqual([]);
    expect(await objectKeys()).toEqual([]);
    expect(await generations.room()).toEqual({ committed: 0, filling: 0, removing: 0 });
  });

  it("spares what is in use, up to that very moment, and takes the next one instead", async () => {
    await storeThree();
    await use("old", 1_000, NOW + 1);
    expect(await prune(store, 20, NOW)).toEqual({ files: 1, bytes: 10 });
    expect(await imageIds()).toEqual(["new", "old"]);
    expect(await prune(store, 10, NOW + 1)).toEqual({ files: 1, bytes: 10 });
    expect(await imageIds()).toEqual(["new"]);
  });

  it("ends when everything is in use", async () => {
    await storeThree();
    for (const imageId of await imageIds()) await use(imageId, 1_000, NOW + 1);
    expect(await prune(store, 0, NOW)).toEqual({ files: 0, bytes: 0 });
    expect(await imageIds()).toHaveLength(3);
  });

  it("counts all images of a content, and its bytes once", async () => {
    const image = await storeImage("a", { seed: "same" });
    await catalog.commit({ ...image, imageId: "b" }, 0);
    expect(await prune(store, 0, NOW)).toEqual({ files: 2, bytes: 10 });
    expect(await imageIds()).toEqual([]);
  });

  it("begins with blobs that no image has any more", async () => {
    await storeImage("a", { seed: "before", at: 9_000 });
    await storeImage("b", { at: 1_000 });
    await storeImage("a", { seed: "after", at: 9_000 });
    expect(await prune(store, 20, NOW)).toEqual({ files: 0, bytes: 10 });
    expect(await imageIds()).toEqual(["a", "b"]);
  });

  it("makes room for a fill that is under way, which it does not touch", async () => {
    await storeThree();
    await generations.reserve({ blob: "sha256-x", generation: "x", imageId: "x", size: 15 }, 45, NOW);
    expect(await prune(store, 30, NOW)).toEqual({ files: 2, bytes: 20 });
    expect(await generations.room()).toEqual({ committed: 10, filling: 15, removing: 0 });
  });

  it("gives up nothing more for what is being removed anyway", async () => {
    await storeThree();
    await catalog.evict("old", NOW);
    expect(await prune(store, 20, NOW)).toEqual({ files: 0, bytes: 0 });
    expect(await imageIds()).toEqual(["middle", "new"]);
  });
});

describe("pruning ends", () => {
  it("when fills alone are above the cap", async () => {
    await storeThree();
    await generations.reserve({ blob: "sha256-x", generation: "x", imageId: "x", size: 1_000 }, 2_000, NOW);
    expect(await prune(store, 30, NOW)).toEqual({ files: 3, bytes: 30 });
  });

  it("when the figures say that there is more than there is", async () => {
    class Lying extends Generations {
      override async room(): Promise<Room> {
        return { committed: 10 ** 15, filling: 0, removing: 0 };
      }
    }
    await storeThree();
    const lying = { ...store, generations: new Lying(bindings.CATALOG) };
    expect(await prune(lying, 30, NOW)).toEqual({ files: 3, bytes: 30 });
    expect(await prune(lying, 30, NOW)).toEqual({ files: 0, bytes: 0 });
  });

  it("when R2 removes nothing: the room stays taken, and the slices go another time", async () => {
    const stuck = new SliceStore(bucketBut({ delete: () => Promise.reject(new Error("R2 is down")) }));
    const { blob, generation } = await storeImage("a");
    expect(await prune({ ...store, slices: stuck }, 0, NOW)).toEqual({ files: 1, bytes: 10 });
    expect(lines("store.remove-failed")).toMatchObject([{ blob, generation, error: "Error: R2 is down" }]);
    expect(await generations.room()).toEqual({ committed: 0, filling: 0, removing: 10 });
    await removeCondemned(store, await generations.removing(9));
    expect(await generations.room()).toEqual({ committed: 0, filling: 0, removing: 0 });
    expect(await objectKeys()).toEqual([]);
  });
});

describe("giving up for one that needs all or nothing", () => {
  it("takes nothing when it would not be enough", async () => {
    await storeThree();
    await use("new", 3_000, NOW + 1);
    expect(await giveUp(store, 21, "all-or-nothing", NOW)).toEqual({ files: 0, bytes: 0 });
    expect(await imageIds()).toHaveLength(3);
    expect(await giveUp(store, 20, "all-or-nothing", NOW)).toEqual({ files: 2, bytes: 20 });
    expect(await imageIds()).toEqual(["new"]);
  });

  it("takes what there is under the other rule", async () => {
    await storeThree();
    await use("new", 3_000, NOW + 1);
    expect(await giveUp(store, 21, "what-there-is", NOW)).toEqual({ files: 2, bytes: 20 });
  });

  it.each([0, -1])("takes nothing when %i bytes are wanted", async (wanted) => {
    await storeThree();
    expect(await giveUp(store, wanted, "what-there-is", NOW)).toEqual({ files: 0, bytes: 0 });
    expect(await imageIds()).toHaveLength(3);
  });

  it("leaves the slices of what stays where they are", async () => {
    await storeThree();
    const { blob, generation } = (await catalog.find("new")) ?? { blob: "", generation: "" };
    await giveUp(store, 20, "all-or-nothing", NOW);
    expect(await objectKeys()).toEqual([0, 1, 2, 3, 4].map((slice) => sliceKey({ blob, generation }, slice)));
  });
});
