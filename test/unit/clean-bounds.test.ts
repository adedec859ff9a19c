/** The clean is bounded in time, goes on where it was, and ends whatever the store says. */
import { beforeEach, describe, expect, it } from "vitest";
import { Rounds } from "../../src/store/rounds.ts";
import { SliceStore } from "../../src/store/slices.ts";
import { clean } from "../../src/upkeep/clean.ts";
import { bucketBut } from "../support/bindings.ts";
import { bindings } from "../support/env.ts";
import {
  catalog,
  cursors,
  emptyStore,
  generations,
  imageIds,
  objectKeys,
  rounds,
  storeImage,
  storeSlices,
} from "../support/store.ts";
import { clockThatJumps, keepLines, NEVER, NOW, upkeepTools } from "../support/upkeep.ts";

keepLines();

const SOON = NOW + 60_000;
/** Looks at the clock before the rows: one for blobs that no image has, one for what was given up. */
const BEFORE_ROWS = 2;
const inPages = (limit: number) =>
  new SliceStore(bucketBut({ list: (options: R2ListOptions) => bindings.BUCKET.list({ ...options, limit }) }));

/** Three images whose slices are gone. */
async function storeThreeEmpty(): Promise<void> {
  for (const imageId of ["a", "b", "c"]) await storeImage(imageId);
  await bindings.BUCKET.delete(await objectKeys());
}

beforeEach(emptyStore);

describe("a run whose time is over", () => {
  it("before it began takes nothing, and says that it is not finished", async () => {
    await storeThreeEmpty();
    await storeSlices("d");
    expect(await clean(upkeepTools(), NOW)).toEqual({ stalled: 0, condemned: 0, orphans: 0, rows: 0, finished: false });
    expect(await imageIds()).toHaveLength(3);
    expect(await objectKeys()).toHaveLength(5);
  });

  it("is followed by one that goes on where it was: rows", async () => {
    await storeThreeEmpty();
    const names = (await rounds.blobsAfter("", 9)).map(({ blob }) => blob);
    const seen: string[] = [];
    for (let left = 2; left >= 0; left--) {
      // A look at the beginning, and one before the row.
      const cleaned = await clean(upkeepTools({}, { now: clockThatJumps(BEFORE_ROWS + 2) }), SOON);
      expect(cleaned).toMatchObject({ rows: 1, finished: false });
      expect(await imageIds()).toHaveLength(left);
      seen.push(await cursors.read("clean.rows"));
    }
    // The third one has seen the last row.
    expect(seen).toEqual([names[0], names[1], ""]);
    expect(await clean(upkeepTools(), SOON)).toMatchObject({ rows: 0, finished: true });
    expect(await cursors.read("clean.rows")).toBe("");
  });

  it("is followed by one that goes on where it was: rows that stay", async () => {
    for (const imageId of ["a", "b", "c"]) await storeImage(imageId);
    await clean(upkeepTools({}, { now: clockThatJumps(BEFORE_ROWS + 3) }), SOON);
    const [, second] = await rounds.blobsAfter("", 2);
    expect(await cursors.read("clean.rows")).toBe(second?.blob);
    let counted = 0;
    const counting = new SliceStore(
      bucketBut({
        list: (options: R2ListOptions) => {
          if (options.prefix !== "blobs/") counted++;
          return bindings.BUCKET.list(options);
        },
      }),
    );
    expect(await clean(upkeepTools({}, { slices: counting }), SOON)).toMatchObject({ finished: true });
    expect(counted).toBe(1);
  });

  it("is followed by one that goes on where it was: slices", async () => {
    for (const imageId of ["a", "b", "c"]) await storeSlices(imageId);
    const runs: number[] = [];
    for (let finished = false; !finished && runs.length < 20; ) {
      // Pages of 5 slices, as many as each of these has, and time for one of them: a look before it, and one at its orphan.
      const cleaned = await clean(upkeepTools({}, { slices: inPages(5), now: clockThatJumps(BEFORE_ROWS + 3) }), SOON);
      runs.push(cleaned.orphans);
      finished = cleaned.finished;
    }
    expect(runs).toEqual([1, 1, 1]);
    expect(await objectKeys()).toEqual([]);
    expect(await cursors.read("clean.slices")).toBe("");
  });

  it("is followed by one that goes on in the same page, when it was over in the middle of one", async () => {
    for (const imageId of ["a", "b", "c"]) await storeSlices(imageId);
    // Two orphans of the one page.
    const cut = { now: clockThatJumps(BEFORE_ROWS + 4) };
    expect(await clean(upkeepTools({}, cut), SOON)).toMatchObject({ orphans: 2, finished: false });
    expect(await cursors.read("clean.slices")).toBe("");
    expect(await clean(upkeepTools(), SOON)).toMatchObject({ orphans: 1, finished: true });
    expect(await objectKeys()).toEqual([]);
  });

  it("is followed by one that goes on where it was: slices that stay", async () => {
    for (const imageId of ["a", "b", "c"]) await storeImage(imageId);
    const finished: boolean[] = [];
    while (!finished.includes(true) && finished.length < 9) {
      // A look at the beginning of the rows, one before each of the three, and one before a page.
      const now = clockThatJumps(BEFORE_ROWS + 5);
      const cleaned = await clean(upkeepTools({}, { slices: inPages(5), now }), SOON);
      finished.push(cleaned.finished);
    }
    expect(finished).toEqual([false, false, true]);
    expect(await objectKeys()).toHaveLength(15);
  });

  it("is followed by one that goes on where it was: what was given up", async () => {
    for (const imageId of ["a", "b", "c"]) {
      await storeImage(imageId);
      await catalog.evict(imageId, 0);
    }
    expect(await clean(upkeepTools({}, { now: clockThatJumps(1) }), SOON)).toMatchObject({ condemned: 0 });
    expect(await generations.removing(9)).toHaveLength(3);
    expect(await clean(upkeepTools(), SOON)).toMatchObject({ condemned: 3, finished: true });
    expect(await objectKeys()).toEqual([]);
  });
});

describe("the clean ends", () => {
  it("when more rows are there than one run looks at", async () => {
    const rows = Array.from({ length: 520 }, (_, index) => {
      const name = `sha256-${String(index).padStart(4, "0")}`;
      return bindings.CATALOG.prepare(
        `INSERT INTO blobs (blob, generation, size, slice_bytes, etags, committed_at, verified_at)
         VALUES (?1, ?1, 1, 16, 'e', 0, 0)`,
      ).bind(name);
    });
    const images = Array.from({ length: 520 }, (_, index) =>
      bindings.CATALOG.prepare("INSERT INTO images (image_id, blob, committed_at) VALUES (?1, ?2, 0)").bind(
        `image-${index}`,
        `sha256-${String(index).padStart(4, "0")}`,
      ),
    );
    await bindings.CATALOG.batch([...rows, ...images]);
    expect(await clean(upkeepTools(), NEVER)).toMatchObject({ rows: 500, finished: false });
    expect(await clean(upkeepTools(), NEVER)).toMatchObject({ rows: 20, finished: true });
  }, 30_000);

  it("when R2 says over and over that there is more", async () => {
    let listed = 0;
    const endless = new SliceStore(
      bucketBut({
        list: async ({ prefix }: R2ListOptions) => {
          listed++;
          const more = prefix === "blobs/";
          return { objects: more ? [{ key: "blobs/a/b/0" }] : [], truncated: more, delimitedPrefixes: [] };
        },
        delete: async () => undefined,
      }),
    );
    expect(await clean(upkeepTools({}, { slices: endless }), NEVER)).toMatchObject({ finished: false });
    expect(listed).toBeLessThanOrEqual(400);
  });

  it("when the catalog gives the same rows over and over", async () => {
    await storeImage("a");
    class Stuck extends Rounds {
      override async blobsAfter(_: string, limit: number) {
        const [blob] = await super.blobsAfter("", 1);
        return blob === undefined ? [] : Array.from({ length: limit }, () => blob);
      }
    }
    const stuck = { rounds: new Stuck(bindings.CATALOG) };
    expect(await clean(upkeepTools({}, stuck), NEVER)).toMatchObject({ rows: 0, finished: false });
  }, 30_000);
});
