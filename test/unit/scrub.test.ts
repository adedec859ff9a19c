/** What the scrub finds. In which order, and with how much patience: ./scrub-turns.test.ts. */
import { beforeEach, describe, expect, it } from "vitest";
import { FRESH_MS } from "../../src/store/catalog.ts";
import { SliceStore } from "../../src/store/slices.ts";
import { scrub } from "../../src/upkeep/scrub.ts";
import { bucketBut, reachedFills, sliceOf } from "../support/bindings.ts";
import { bindings } from "../support/env.ts";
import {
  catalog,
  emptyStore,
  generations,
  imageIds,
  objectKeys,
  rounds,
  sliceKey,
  slices,
  storeImage,
  storeSlices,
} from "../support/store.ts";
import {
  clockThatJumps,
  inPauses,
  keepLines,
  NEVER,
  NOW,
  type UpkeepTools,
  unreadableSlices,
  upkeepTools,
} from "../support/upkeep.ts";

const lines = keepLines();
const run = (scrubBytes = 1_000, other: Partial<UpkeepTools> = {}) => scrub(upkeepTools({ scrubBytes }, other), NEVER);
/** The ids of the images in the order in which the next scrub would take their blobs. */
const order = async () => {
  const blobs = await rounds.leastScrubbed(99);
  const owners = await Promise.all(
    blobs.map(({ generation }) =>
      bindings.CATALOG.prepare("SELECT image_id FROM images JOIN blobs USING (blob) WHERE generation = ?")
        .bind(generation)
        .first<string>("image_id"),
    ),
  );
  return owners.join(" ");
};

let pauses: number[] = [];

beforeEach(async () => {
  await emptyStore();
  pauses = inPauses(async () => undefined);
});

describe("the scrub", () => {
  it("verifies what is stored, whatever the digest, and notes when", async () => {
    await storeImage("a", { algorithm: "sha256", size: 100 });
    await storeImage("b", { algorithm: "sha512" });
    await storeImage("c", { algorithm: "md5" });
    expect(await run()).toEqual({ verified: 3, bad: 0, bytes: 120 });
    const { results } = await bindings.CATALOG.prepare("SELECT DISTINCT verified_at FROM blobs").all();
    expect(results).toEqual([{ verified_at: NOW }]);
  });

  it("takes the longest unverified first, and goes on with the others next time", async () => {
    await storeImage("c", { at: 1_000 });
    await storeImage("a", { at: 3_000 });
    await storeImage("b", { at: 2_000 });
    expect(await run(20)).toEqual({ verified: 2, bad: 0, bytes: 20 });
    expect(await order()).toMatch(/^a /);
    expect(await run(20, { now: () => NOW + 1 })).toMatchObject({ verified: 2 });
    expect(await order()).not.toMatch(/^a /);
  });

  it("stays within its bytes", async () => {
    for (const imageId of ["a", "b", "c"]) await storeImage(imageId);
    expect(await run(29)).toEqual({ verified: 2, bad: 0, bytes: 20 });
    expect(await run(30)).toEqual({ verified: 3, bad: 0, bytes: 30 });
  });

  it("gives a blob that is larger than all its bytes a run of its own", async () => {
    await storeImage("big", { size: 500, at: 2_000 });
    await storeImage("small", { at: 1_000 });
    expect(await run(50)).toEqual({ verified: 1, bad: 0, bytes: 10 });
    expect(await order()).toBe("big small");
    expect(await run(50, { now: () => NOW + 1 })).toEqual({ verified: 1, bad: 0, bytes: 500 });
    expect(await order()).toBe("small big");
  });

  it("does nothing with 0 bytes, or with an empty store", async () => {
    expect(await run()).toEqual({ verified: 0, bad: 0, bytes: 0 });
    await storeImage("a");
    expect(await run(0)).toEqual({ verified: 0, bad: 0, bytes: 0 });
  });

  it("begins nothing when its time is over, and begins anew what it could not end", async () => {
    await storeImage("a", { at: 1_000 });
    await storeImage("b", { at: 2_000 });
    expect(await scrub(upkeepTools({ scrubBytes: 1_000 }), NOW)).toEqual({ verified: 0, bad: 0, bytes: 0 });
    const cut = { now: clockThatJumps(3) };
    expect(await scrub(upkeepTools({ scrubBytes: 1_000 }, cut), NOW + 1)).toEqual({ verified: 0, bad: 0, bytes: 10 });
    expect(await imageIds()).toEqual(["a", "b"]);
    expect(await order()).toBe("b a");
    const { results } = await bindings.CATALOG.prepare("SELECT verified_at FROM blobs ORDER BY verified_at").all();
    expect(results).toEqual([{ verified_at: 1_000 }, { verified_at: 2_000 }]);
  });
});

describe("a bad blob", () => {
  it("with another slice under its key is removed with all its images, reported, and the others are verified", async () => {
    const image = await storeImage("a", { seed: "same", at: 1_000 });
    await catalog.commit({ ...image, imageId: "b" }, 1_000);
    const good = await storeImage("c", { at: 2_000 });
    await bindings.BUCKET.put(sliceKey(image, 2), "xx");
    expect(await run()).toEqual({ verified: 1, bad: 1, bytes: 20 });
    expect(await imageIds()).toEqual(["c"]);
    expect(await objectKeys()).toEqual([0, 1, 2, 3, 4].map((slice) => sliceKey(good, slice)));
    expect(await generations.room()).toEqual({ committed: 10, filling: 0, removing: 0 });
    const { blob, generation } = image;
    const said = lines("scrub.bad-blob").sort((a, b) => (String(a.image_id) < String(b.image_id) ? -1 : 1));
    expect(said).toMatchObject([
      { level: "error", image_id: "a", blob, generation },
      { level: "error", image_id: "b", blob, generation },
    ]);
  });

  it("that lacks a slice is removed", async () => {
    const image = await storeImage("a");
    await bindings.BUCKET.delete(sliceKey(image, 4));
    expect(await run()).toMatchObject({ verified: 0, bad: 1 });
    expect(lines("scrub.bad-blob")[0]?.error).toContain("slice-missing");
    expect(await imageIds()).toEqual([]);
    expect(await objectKeys()).toEqual([]);
  });

  it("whose slices have the etags that they should have, but not the digest, is removed", async () => {
    const image = await storeSlices("a");
    const rotten = { ...image, generation: "rotten", etags: [] as string[] };
    for (const slice of image.etags.keys()) {
      rotten.etags.push((await slices.put(rotten.blob, rotten.generation, slice, Uint8Array.of(slice, 0))).etag);
    }
    await catalog.commit(rotten, 0);
    expect(await run()).toMatchObject({ verified: 0, bad: 1 });
    expect(lines("scrub.bad-blob")[0]?.error).toContain("disagrees");
    // Nothing mends that.
    expect(pauses).toEqual([]);
    expect(await imageIds()).toEqual([]);
    expect(await objectKeys()).not.toContain(sliceKey(rotten, 0));
  });

  it("whose slices can't be removed at once leaves the catalog all the same, and the clean does the rest", async () => {
    const image = await storeImage("a");
    await bindings.BUCKET.put(sliceKey(image, 0), "xx");
    const unwilling = new SliceStore(bucketBut({ delete: () => Promise.reject(new Error("R2 is down")) }));
    expect(await run(1_000, { slices: unwilling })).toMatchObject({ bad: 1 });
    expect(await imageIds()).toEqual([]);
    expect(await generations.room()).toEqual({ committed: 0, filling: 0, removing: 10 });
  });

  it("that many images have costs a call only for those that were committed a moment ago", async () => {
    const { blob, generation } = await storeImage("a", { size: 100 });
    const old = Array.from({ length: 300 }, (_, index) => `old-${index}`);
    await bindings.CATALOG.prepare(
      "INSERT INTO images (image_id, blob, committed_at) SELECT value, ?2, ?3 FROM json_each(?1)",
    )
      .bind(JSON.stringify(old), blob, NOW - FRESH_MS)
      .run();
    await storeImage("fresh", { size: 100, seed: "a", at: NOW - FRESH_MS + 1 });
    await bindings.BUCKET.put(sliceKey({ blob, generation }, 3), "wrong");
    const { fills, reached } = reachedFills();
    expect(await run(1_000, { fills })).toMatchObject({ bad: 1 });
    expect(reached).toEqual(["fresh"]);
    expect(await imageIds()).toEqual([]);
    expect(lines("scrub.bad-blob")).toHaveLength(302);
  });
});

describe("a blob is not bad", () => {
  it("because the store does not answer: it stays, and the others are verified", async () => {
    const image = await storeImage("a", { at: 1_000 });
    await storeImage("b", { at: 2_000 });
    const slices = unreadableSlices((key) => key.includes(image.generation));
    expect(await run(1_000, { slices })).toEqual({ verified: 1, bad: 0, bytes: 20 });
    expect(await imageIds()).toEqual(["a", "b"]);
    expect(lines("scrub.unreadable")).toMatchObject([{ blob: image.blob, error: "Error: R2 is down" }]);
    const { results } = await bindings.CATALOG.prepare("SELECT verified_at FROM blobs ORDER BY verified_at").all();
    expect(results).toEqual([{ verified_at: 1_000 }, { verified_at: NOW }]);
  });

  it("because it was evicted while it was read", async () => {
    const image = await storeImage("a");
    const unwilling = new SliceStore(
      bucketBut({
        get: async (key: string, options: R2GetOptions) => {
          if (sliceOf(key) === 2) {
            await catalog.evict("a", NOW);
            await new SliceStore(bindings.BUCKET).removeGeneration(image.blob, image.generation);
            await generations.release([image.generation]);
          }
          return bindings.BUCKET.get(key, options);
        },
      }),
    );
    expect(await run(1_000, { slices: unwilling })).toEqual({ verified: 0, bad: 0, bytes: 10 });
    expect(lines("scrub.bad-blob")).toEqual([]);
  });

  it("because it was evicted and stored again while it was read: the new one stays", async () => {
    const image = await storeImage("a");
    let again = "";
    const unwilling = new SliceStore(
      bucketBut({
        get: async (key: string, options: R2GetOptions) => {
          if (sliceOf(key) === 2) {
            await catalog.evict("a", NOW);
            await new SliceStore(bindings.BUCKET).removeGeneration(image.blob, image.generation);
            again = (await storeImage("a")).generation;
          }
          return bindings.BUCKET.get(key, options);
        },
      }),
    );
    expect(await run(1_000, { slices: unwilling })).toMatchObject({ verified: 0, bad: 0 });
    expect((await catalog.find("a"))?.generation).toBe(again);
  });
});
