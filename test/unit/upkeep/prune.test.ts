import { beforeEach, describe, expect, it } from "vitest";
import type { GivenUp, RoomTools } from "../../../src/fill/make-room.ts";
import { type Room, RoomBook } from "../../../src/store/room.ts";
import { prune } from "../../../src/upkeep/prune.ts";
import { bindings } from "../../support/env.ts";
import { keepLines } from "../../support/lines.ts";
import {
  capped,
  emptyStore,
  imageIds,
  indexOnly,
  objectKeys,
  room,
  storeImage,
  storeInParts,
  use,
} from "../../support/store.ts";
import { clockThatJumps, NEVER, NOW, roomTools, unreachableFills } from "../../support/upkeep.ts";

const lines = keepLines();

/** Prunes with all the time that it takes. */
const run = (cap: number, other: Partial<RoomTools> = {}): Promise<GivenUp> =>
  prune({ ...roomTools(), ...other }, capped(cap), NEVER);

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

  it("gives up the least recently used, no more than needed, row and object", async () => {
    await storeThree();
    expect(await run(29)).toEqual({ files: 1, bytes: 10 });
    expect(await imageIds()).toEqual(["middle", "new"]);
    expect(await room.sums()).toEqual({ kept: 20, filling: 0 });
    expect(await objectKeys()).toEqual(["images/middle", "images/new"]);
    expect(lines("image.evicted")).toMatchObject([{ image_id: "old", why: "room is needed" }]);
  });

  it("gives up an image in parts with all of them", async () => {
    await storeInParts("old", 4, { at: 1_000 });
    expect(await objectKeys()).toHaveLength(4);
    expect(await run(9)).toEqual({ files: 1, bytes: 10 });
    expect(await objectKeys()).toEqual([]);
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
    expect(await room.sums()).toEqual({ kept: 0, filling: 0 });
  });

  it("spares what is in use, up to that very moment, and takes the next one instead", async () => {
    await storeThree();
    await use("old", 1_000, NOW + 1);
    expect(await run(20)).toEqual({ files: 1, bytes: 10 });
    expect(await imageIds()).toEqual(["new", "old"]);
    expect(await run(10, { now: () => NOW + 1 })).toEqual({ files: 1, bytes: 10 });
    expect(await imageIds()).toEqual(["new"]);
  });

  it("ends when everything is in use", async () => {
    await storeThree();
    for (const imageId of await imageIds()) await use(imageId, 1_000, NOW + 1);
    expect(await run(0)).toEqual({ files: 0, bytes: 0 });
    expect(await imageIds()).toHaveLength(3);
  });

  it("makes room for a fill that is under way, with slices and object, which it does not touch", async () => {
    await storeThree();
    expect(await room.take({ attempt: "x", imageId: "x", size: 7 }, capped(44), NOW)).toBe(true);
    expect(await run(30)).toEqual({ files: 2, bytes: 20 });
    expect(await room.sums()).toEqual({ kept: 10, filling: 14 });
  });

  it("takes rows of which R2 has no object any more like others: they take room in the books", async () => {
    await indexOnly(["a", "b"]);
    await storeImage("kept", { at: 5_000 });
    expect(await run(10)).toEqual({ files: 2, bytes: 2 });
    expect(await imageIds()).toEqual(["kept"]);
  });
});

describe("pruning ends", () => {
  it("when fills alone are above the cap", async () => {
    await storeThree();
    await room.take({ attempt: "x", imageId: "x", size: 1_000 }, capped(3_000), NOW);
    expect(await run(30)).toEqual({ files: 3, bytes: 30 });
  });

  it("when the figures say that there is more than there is", async () => {
    class Lying extends RoomBook {
      override async sums(): Promise<Room> {
        return { kept: 10 ** 15, filling: 0 };
      }
    }
    await storeThree();
    const lying = { room: new Lying(bindings.CATALOG) };
    expect(await run(30, lying)).toEqual({ files: 3, bytes: 30 });
    expect(await run(30, lying)).toEqual({ files: 0, bytes: 0 });
  });

  it("when no Fill can be reached: nothing is lost", async () => {
    await storeThree();
    expect(await prune(roomTools({ fills: unreachableFills }), capped(0), NEVER)).toEqual({ files: 0, bytes: 0 });
    expect(await imageIds()).toHaveLength(3);
    expect(lines("fill.unavailable")).toHaveLength(3);
  });
});

describe("a prune whose time is over", () => {
  it("before it began gives up nothing", async () => {
    await storeThree();
    expect(await prune(roomTools(), capped(0), NOW)).toEqual({ files: 0, bytes: 0 });
    expect(await imageIds()).toHaveLength(3);
  });

  it("ends after the images that it is at: four of them, and the others next time", async () => {
    for (let index = 0; index < 10; index++) await storeImage(`image-${index}`, { at: index });
    // A look before the figures, one as images are chosen, and one before the first four.
    const cut = roomTools({ now: clockThatJumps(3) });
    expect(await prune(cut, capped(0), NOW + 60_000)).toEqual({ files: 4, bytes: 40 });
    expect(await imageIds()).toEqual(["image-4", "image-5", "image-6", "image-7", "image-8", "image-9"]);
    expect(await run(0)).toEqual({ files: 6, bytes: 60 });
  });
});
