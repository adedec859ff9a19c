/** The clean is bounded in time, goes on where it was, and ends whatever the store says. */

import { beforeEach, describe, expect, it } from "vitest";
import { Catalog, type Indexed } from "../../../src/store/catalog.ts";
import { ObjectStore } from "../../../src/store/objects.ts";
import { SliceStore } from "../../../src/store/slices.ts";
import { clean } from "../../../src/upkeep/clean.ts";
import { bucketBut } from "../../support/bindings.ts";
import { bindings } from "../../support/env.ts";
import { keepLines } from "../../support/lines.ts";
import {
  capped,
  cursors,
  emptyStore,
  imageIds,
  indexOnly,
  objectKeys,
  room,
  storeObject,
  storeSlices,
} from "../../support/store.ts";
import { clockThatJumps, NEVER, NOW, type UpkeepTools, upkeepTools } from "../../support/upkeep.ts";

keepLines();

const SOON = NOW + 60_000;
const inPages = (limit: number) =>
  bucketBut({ list: (options: R2ListOptions) => bindings.BUCKET.list({ ...options, limit }) });
const run = (other: Partial<UpkeepTools>) => clean(upkeepTools({}, other), SOON);

beforeEach(emptyStore);

describe("a run whose time is over", () => {
  it("before it began takes nothing, and says that it is not finished", async () => {
    await indexOnly(["a", "b", "c"]);
    await storeSlices("d");
    await room.take({ imageId: "e", attempt: "e", size: 1 }, capped(9), 0);
    expect(await clean(upkeepTools(), NOW)).toEqual({
      attempts: 0,
      released: 0,
      rows: 0,
      adopted: 0,
      foreign: 0,
      finished: false,
    });
    expect(await imageIds()).toHaveLength(3);
    expect(await objectKeys()).toHaveLength(5);
  });

  it("is followed by one that goes on where it was: slices", async () => {
    for (const imageId of ["a", "b", "c"]) await storeSlices(imageId);
    const slices = new SliceStore(inPages(5));
    const runs: number[] = [];
    for (let finished = false; !finished && runs.length < 20; ) {
      // Pages of 5 slices, as many as each of these has, and time for one of them.
      const cleaned = await run({ slices, now: clockThatJumps(3) });
      runs.push(cleaned.attempts);
      if (cleaned.attempts === 0) finished = (await objectKeys()).length === 0;
    }
    expect(runs.filter((count) => count > 0)).toEqual([1, 1, 1]);
    expect(await objectKeys()).toEqual([]);
  });

  it("is followed by one that goes on in the same page, when it was over in the middle of one", async () => {
    for (const imageId of "abcdefgh") await storeSlices(imageId, 1);
    // A look before the page, and one before four of its eight.
    expect(await run({ now: clockThatJumps(2) })).toMatchObject({ attempts: 4, finished: false });
    expect(await cursors.read("clean.slices")).toBe("");
    expect(await run({})).toMatchObject({ attempts: 4, finished: true });
    expect(await objectKeys()).toEqual([]);
  });

  it("is followed by one that goes on where it was: rows", async () => {
    await indexOnly([..."abcdefghij"]);
    // Two looks at each kind of slices, one at what has room, one before the rows, and one before four of them.
    expect(await run({ now: clockThatJumps(7) })).toMatchObject({ rows: 4, finished: false });
    expect(await cursors.read("clean.rows")).toBe("d");
    expect(await imageIds()).toEqual([..."efghij"]);
    const looked: string[] = [];
    const objects = new ObjectStore(
      bucketBut({
        head: (key: string) => {
          looked.push(key);
          return bindings.BUCKET.head(key);
        },
      }),
    );
    expect(await run({ objects })).toMatchObject({ rows: 6, finished: true });
    expect(looked).toEqual([..."efghij"].map((imageId) => `images/${imageId}`));
    expect(await cursors.read("clean.rows")).toBe("");
  });

  it("is followed by one that goes on where it was: kept images", async () => {
    for (const imageId of "abcd") await storeObject(imageId);
    const objects = new ObjectStore(inPages(2));
    const seen: string[][] = [];
    for (let finished = false; !finished && seen.length < 9; ) {
      const cleaned = await run({ objects, now: clockThatJumps(7) });
      finished = cleaned.finished;
      seen.push(await imageIds());
    }
    expect(seen.map((ids) => ids.join(""))).toEqual(expect.arrayContaining(["ab", "abcd"]));
    expect(await cursors.read("clean.objects")).toBe("");
  });
});

describe("the clean ends", () => {
  it("when more rows are there than one run looks at", async () => {
    await indexOnly(Array.from({ length: 2_020 }, (_, index) => `image-${String(index).padStart(4, "0")}`));
    const objects = new ObjectStore(bucketBut({ head: async () => null }));
    expect(await clean(upkeepTools({}, { objects }), NEVER)).toMatchObject({ rows: 2_000, finished: false });
    expect(await clean(upkeepTools({}, { objects }), NEVER)).toMatchObject({ rows: 20, finished: true });
  }, 30_000);

  it("when R2 says over and over that there is more", async () => {
    let listed = 0;
    const endless = bucketBut({
      list: async ({ prefix }: R2ListOptions) => {
        listed++;
        return { objects: [{ key: `${prefix}a` }], truncated: true, delimitedPrefixes: [] };
      },
    });
    const tools = upkeepTools({}, { slices: new SliceStore(endless) });
    expect(await clean(tools, NEVER)).toMatchObject({ finished: false });
    expect(listed).toBeLessThanOrEqual(400);
  });

  it("when the index gives the same rows over and over", async () => {
    await storeObject("a");
    class Stuck extends Catalog {
      override async after(_: string, limit: number): Promise<Indexed[]> {
        return Array.from({ length: limit }, () => ({ imageId: "a", attempt: "a", size: 1 }));
      }
    }
    const stuck = { catalog: new Stuck(bindings.CATALOG) };
    expect(await clean(upkeepTools({}, stuck), NEVER)).toMatchObject({ rows: 0, finished: false });
  }, 30_000);
});
