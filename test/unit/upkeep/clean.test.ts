/** The clean without a fill under way; with one: test/races/fill-against-clean.test.ts. */

import { beforeEach, describe, expect, it } from "vitest";
import { ObjectStore } from "../../../src/store/objects.ts";
import { SliceStore } from "../../../src/store/slices.ts";
import { type Cleaned, clean } from "../../../src/upkeep/clean.ts";
import { bucketBut } from "../../support/bindings.ts";
import { bindings } from "../../support/env.ts";
import { keepLines } from "../../support/lines.ts";
import {
  capped,
  catalog,
  emptyCatalog,
  emptyStore,
  imageIds,
  indexOnly,
  keysOf,
  objectKeys,
  putByHand,
  room,
  storeImage,
  storeInParts,
  storeObject,
  storeSlices,
} from "../../support/store.ts";
import { NEVER, NOW, type UpkeepTools, unreachableFills, upkeepTools } from "../../support/upkeep.ts";

const NOTHING: Cleaned = { attempts: 0, released: 0, rows: 0, adopted: 0, foreign: 0, finished: true };
const lines = keepLines();
const run = (other: Partial<UpkeepTools> = {}) => clean(upkeepTools({}, other), NEVER);
const listed = async () => (await catalog.list()).map(({ imageId, size }) => [imageId, size]).sort();

beforeEach(emptyStore);

describe("the clean of a store in order", () => {
  it("takes nothing", async () => {
    await storeImage("a");
    await storeInParts("b", 4);
    const before = await objectKeys();
    expect(await run()).toEqual(NOTHING);
    expect(await objectKeys()).toEqual(before);
    expect(await imageIds()).toEqual(["a", "b"]);
    expect(await room.sums()).toEqual({ kept: 20, filling: 0 });
  });

  it("sums up anew what images take, whatever the sums have become", async () => {
    await storeImage("a");
    await storeInParts("b", 4);
    await bindings.CATALOG.prepare("UPDATE held SET bytes = bytes + 7").run();
    expect(await run()).toEqual(NOTHING);
    expect(await room.sums()).toEqual({ kept: 20, filling: 0 });
    await bindings.CATALOG.prepare("DELETE FROM held").run();
    expect(await run()).toEqual(NOTHING);
    expect(await room.sums()).toEqual({ kept: 20, filling: 0 });
  });

  it("that is empty ends at once", async () => {
    expect(await run()).toEqual(NOTHING);
  });

  it("looks only at what is the edge's own", async () => {
    await bindings.BUCKET.put("backup/of/something", "x");
    await bindings.BUCKET.put("images", "x");
    expect(await run()).toEqual(NOTHING);
    expect(await objectKeys()).toEqual(["backup/of/something", "images"]);
  });
});

describe("slices and parts that nobody is at", () => {
  it("go, all of their attempt and nothing else", async () => {
    const stored = await storeImage("a");
    const orphan = await storeSlices("b");
    // Of an image that is kept, by another attempt.
    const second = await storeSlices("a");
    await parts("c");
    expect(await run()).toEqual({ ...NOTHING, attempts: 3 });
    expect(await objectKeys()).toEqual([`images/${stored.imageId}`]);
    expect(
      lines("clean.removed")
        .map(({ attempt }) => attempt)
        .sort(),
    ).toEqual([orphan.attempt, second.attempt, "lost"].sort());
    expect(await run()).toEqual(NOTHING);
  });

  it("go though there are more than one list of R2 gives, and what is kept between them stays", async () => {
    const limited = bucketBut({ list: (options: R2ListOptions) => bindings.BUCKET.list({ ...options, limit: 2 }) });
    for (const imageId of ["a", "c", "e"]) await storeImage(imageId);
    await storeInParts("i", 3);
    for (const imageId of ["b", "d"]) await storeSlices(imageId, 3);
    const pages = { slices: new SliceStore(limited), objects: new ObjectStore(limited) };
    expect(await run(pages)).toEqual({ ...NOTHING, attempts: 2 });
    expect(await objectKeys()).toHaveLength(3 + 1 + 4);
  });

  it("of a kept image in parts: its slices go, its parts stay", async () => {
    const image = await storeInParts("a", 4);
    const source = { imageId: "a", attempt: image.attempt };
    await new SliceStore(bindings.BUCKET).put(source, 0, new Uint8Array(1));
    await run();
    expect(await keysOf("a")).toEqual(["images/a", ...[0, 1, 2].map((part) => `parts/a/${image.attempt}/${part}`)]);
  });

  it("stay when their Fill can't be asked", async () => {
    await storeSlices("a");
    expect(await run({ fills: unreachableFills })).toEqual(NOTHING);
    expect(await objectKeys()).toHaveLength(5);
    expect(lines("fill.unavailable")).toMatchObject([{ image_id: "a", call: "clean" }]);
  });

  async function parts(imageId: string): Promise<void> {
    for (const part of [0, 1]) await bindings.BUCKET.put(`parts/${imageId}/lost/${part}`, "x");
  }
});

describe("room that was taken", () => {
  it("is given back when its Fill knows nothing of the attempt, slices or none", async () => {
    const { attempt } = await storeSlices("a");
    await room.take({ imageId: "a", attempt, size: 10 }, capped(1_000), 0);
    await room.take({ imageId: "b", attempt: "none", size: 10 }, capped(1_000), 0);
    expect(await run()).toEqual({ ...NOTHING, attempts: 1, released: 1 });
    expect(await room.sums()).toEqual({ kept: 0, filling: 0 });
    expect(await objectKeys()).toEqual([]);
  });

  it("stays taken when its Fill can't be asked", async () => {
    await room.take({ imageId: "b", attempt: "none", size: 10 }, capped(1_000), 0);
    expect(await run({ fills: unreachableFills })).toEqual(NOTHING);
    expect(await room.sums()).toEqual({ kept: 0, filling: 20 });
  });

  it("is given back of an image that is kept, and its object stays", async () => {
    const image = await storeImage("a");
    await room.take(image, capped(1_000), 0);
    expect(await run()).toEqual({ ...NOTHING, released: 1 });
    expect(await room.sums()).toEqual({ kept: 10, filling: 0 });
    expect(await objectKeys()).toEqual(["images/a"]);
  });
});

describe("rows", () => {
  it("of what is not in R2 any more go", async () => {
    await indexOnly(["gone"]);
    await storeImage("kept");
    expect(await run()).toEqual({ ...NOTHING, rows: 1 });
    expect(await imageIds()).toEqual(["kept"]);
    expect(lines("image.evicted")).toMatchObject([{ image_id: "gone", why: "it is not in R2 any more" }]);
  });

  it("of an attempt that another one has taken the place of become that one's", async () => {
    await indexOnly(["a"]);
    const image = await storeObject("a", { size: 30 });
    expect(await run()).toEqual({ ...NOTHING, adopted: 1 });
    expect((await catalog.after("", 9))[0]).toEqual(image);
  });

  it("of an image that is kept just now, behind a look that did not find it, stay", async () => {
    await indexOnly(["a"]);
    let image: unknown = null;
    const objects = new ObjectStore(
      bucketBut({
        head: async (key: string) => {
          const before = await bindings.BUCKET.head(key);
          image = await storeImage("a");
          return before;
        },
      }),
    );
    expect(await run({ objects })).toEqual(NOTHING);
    expect(await catalog.after("", 9)).toEqual([image]);
  });

  it("stay when R2 does not answer, which ends the run", async () => {
    await indexOnly(["a"]);
    const objects = new ObjectStore(bucketBut({ head: () => Promise.reject(new Error("R2 is down")) }));
    await expect(run({ objects })).rejects.toThrow("R2 is down");
    expect(await imageIds()).toEqual(["a"]);
  });
});

describe("an index that was lost", () => {
  it("is built anew from what R2 holds, with the sizes of the images, also of those in parts", async () => {
    await storeImage("a", { size: 123 });
    await storeImage("b", { size: 0 });
    await storeInParts("c", 7, { size: 50 });
    const kept = await Promise.all(
      ["a", "b", "c"].map(async (id) => (await bindings.BUCKET.head(`images/${id}`))?.uploaded),
    );
    await emptyCatalog();
    expect(await run()).toEqual({ ...NOTHING, adopted: 3 });
    expect(await listed()).toEqual([
      ["a", 123],
      ["b", 0],
      ["c", 50],
    ]);
    expect(await room.sums()).toEqual({ kept: 173, filling: 0 });
    expect((await catalog.list()).map(({ committedAt }) => committedAt)).toEqual(kept.map((date) => date?.getTime()));
    expect(await run()).toEqual(NOTHING);
  });

  it("leaves what it knows of an image as it is: hits, and when it was used", async () => {
    await storeImage("a", { at: 1_000 });
    await catalog.recordUse([{ imageId: "a", hits: 7, lastAccessed: 5_000, inUseUntil: 0 }]);
    await storeObject("b");
    expect(await run()).toEqual({ ...NOTHING, adopted: 1 });
    expect(await catalog.list()).toContainEqual({
      imageId: "a",
      size: 10,
      hits: 7,
      lastAccessed: 5_000,
      committedAt: 1_000,
    });
  });

  it("does not bring back what was cleared", async () => {
    await storeObject("a");
    await catalog.clear(Date.now() + 1_000);
    await run();
    expect(await imageIds()).toEqual([]);
    expect(await catalog.cleared({ at: -1, imageId: "" }, 9)).toMatchObject([{ imageId: "a" }]);
  });
});

describe("an object under images/ that no fill has put", () => {
  it.each<[string, Record<string, string>]>([
    ["without metadata", {}],
    ["with some", { kind: "image", attempt: "x" }],
    [
      "with a manifest's that is none",
      { kind: "manifest", attempt: "x", size: "ten", algorithm: "md5", hex: "0".repeat(32) },
    ],
    ["with a digest that is none", { kind: "image", attempt: "x", algorithm: "sha512", hex: "x" }],
    ["with a digest of something else", { kind: "image", attempt: "x", algorithm: "sha256", hex: "0".repeat(64) }],
  ])("%s goes, and its row", async (_, metadata) => {
    await storeImage("kept");
    await putByHand("a", "something", metadata);
    await indexOnly(["a"]);
    expect(await run()).toEqual({ ...NOTHING, foreign: 1 });
    expect(await objectKeys()).toEqual(["images/kept"]);
    expect(await imageIds()).toEqual(["kept"]);
    expect(lines("clean.foreign")).toMatchObject([{ image_id: "a" }]);
  });

  it("that is a kept image cut short, with its metadata, goes", async () => {
    await storeImage("a", { size: 100 });
    const whole = await bindings.BUCKET.get("images/a");
    const bytes = new Uint8Array((await whole?.arrayBuffer()) ?? new ArrayBuffer());
    await bindings.BUCKET.put("images/a", bytes.slice(0, 60), { customMetadata: whole?.customMetadata ?? {} });
    expect(await run()).toEqual({ ...NOTHING, foreign: 1 });
    expect(await objectKeys()).toEqual([]);
    expect(await imageIds()).toEqual([]);
  });

  it("stays, and is not counted, when its Fill can't be asked", async () => {
    await putByHand("a", "something");
    expect(await run({ fills: unreachableFills })).toEqual(NOTHING);
    expect(await objectKeys()).toEqual(["images/a"]);
  });
});

describe("a D1 that is down", () => {
  it("ends the clean before it has judged anything", async () => {
    await storeImage("a");
    await storeSlices("b");
    await bindings.CATALOG.prepare("ALTER TABLE upkeep RENAME TO elsewhere").run();
    try {
      await expect(run()).rejects.toThrow();
    } finally {
      await bindings.CATALOG.prepare("ALTER TABLE elsewhere RENAME TO upkeep").run();
    }
    expect(await objectKeys()).toHaveLength(6);
    expect(await run()).toEqual({ ...NOTHING, attempts: 1 });
    expect(await objectKeys()).toEqual(["images/a"]);
  });

  it("in the middle keeps the room of what was removed, until the next clean", async () => {
    const { attempt } = await storeSlices("a");
    await room.take({ imageId: "a", attempt, size: 5 }, capped(1_000), NOW);
    await bindings.CATALOG.prepare("ALTER TABLE fills RENAME TO elsewhere").run();
    try {
      await expect(run()).rejects.toThrow();
    } finally {
      await bindings.CATALOG.prepare("ALTER TABLE elsewhere RENAME TO fills").run();
    }
    expect(lines("fill.not-done")).toMatchObject([{ image_id: "a", what: "clean" }]);
    expect(await room.sums()).toEqual({ kept: 0, filling: 10 });
    expect(await run()).toEqual({ ...NOTHING, released: 1 });
    expect(await room.sums()).toEqual({ kept: 0, filling: 0 });
  });
});
