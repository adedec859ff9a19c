/** What leaves the catalog for room. Which of them is chosen: ./least-recently-used.test.ts. */
import { beforeEach, describe, expect, it } from "vitest";
import { Generations } from "../../src/store/generations.ts";
import { giveUp, taken } from "../../src/store/give-up.ts";
import { bindings } from "../support/env.ts";
import { catalog, emptyStore, generations, imageIds, objectKeys, store, storeImage, use } from "../support/store.ts";
import { keepLines, NOW } from "../support/upkeep.ts";

const lines = keepLines();
const NOTHING = { files: 0, bytes: 0, orphans: [] };

beforeEach(emptyStore);

/** Three images of 10 bytes each, the oldest first. */
async function storeThree() {
  const old = await storeImage("old", { at: 1_000 });
  const middle = await storeImage("middle", { at: 2_000 });
  const last = await storeImage("new", { at: 3_000 });
  return [old, middle, last].map(({ blob, generation }) => ({ blob, generation }));
}

describe("giving up", () => {
  it("takes the rows alone: the slices are there, counted, and told to who asked", async () => {
    const [old] = await storeThree();
    const before = await objectKeys();
    expect(await giveUp(store, 10, "all-or-nothing", NOW)).toEqual({ files: 1, bytes: 10, orphans: [old] });
    expect(await imageIds()).toEqual(["middle", "new"]);
    expect(await objectKeys()).toEqual(before);
    expect(await generations.room()).toEqual({ committed: 20, filling: 0, removing: 10 });
    expect(await generations.removing(9)).toEqual([old]);
    expect(lines("image.evicted")).toMatchObject([{ image_id: "old", why: "room is needed" }]);
  });

  it("takes nothing when all was needed and it would not be enough", async () => {
    await storeThree();
    await use("new", 3_000, NOW + 1);
    expect(await giveUp(store, 21, "all-or-nothing", NOW)).toEqual(NOTHING);
    expect(await imageIds()).toHaveLength(3);
    expect(await giveUp(store, 20, "all-or-nothing", NOW)).toMatchObject({ files: 2, bytes: 20 });
    expect(await imageIds()).toEqual(["new"]);
  });

  it("takes what there is under the other rule", async () => {
    await storeThree();
    await use("new", 3_000, NOW + 1);
    expect(await giveUp(store, 21, "what-there-is", NOW)).toMatchObject({ files: 2, bytes: 20 });
  });

  it("spares one that a download begins to read just before it goes", async () => {
    await storeThree();
    class Overtaken extends Generations {
      override async candidates(limit: number) {
        const candidates = await super.candidates(limit);
        await use("old", NOW, NOW + 60_000);
        return candidates;
      }
    }
    const overtaken = { ...store, generations: new Overtaken(bindings.CATALOG) };
    expect(await giveUp(overtaken, 20, "all-or-nothing", NOW)).toMatchObject({ files: 1, bytes: 10 });
    expect(await imageIds()).toEqual(["new", "old"]);
  });

  it.each([0, -1])("takes nothing when %i bytes are wanted", async (wanted) => {
    await storeThree();
    expect(await giveUp(store, wanted, "what-there-is", NOW)).toEqual(NOTHING);
    expect(await imageIds()).toHaveLength(3);
  });

  it("tells each slice to remove to one of several who give up at the same time", async () => {
    await storeThree();
    const given = await Promise.all([1, 2, 3].map(() => giveUp(store, 10, "what-there-is", NOW)));
    const orphans = given.flatMap(({ orphans: told }) => told);
    expect(new Set(orphans.map(({ generation }) => generation)).size).toBe(orphans.length);
    expect(await generations.removing(9)).toHaveLength(orphans.length);
  });
});

describe("the room that stays taken", () => {
  it("is what is committed and what is being filled", async () => {
    await storeThree();
    await catalog.evict("old", NOW);
    await generations.reserve({ blob: "sha256-x", generation: "x", imageId: "x", size: 7 }, 100, NOW);
    expect(taken(await generations.room())).toBe(27);
  });
});
