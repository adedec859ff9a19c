/** The index of kept images in D1. */
import { beforeEach, describe, expect, it } from "vitest";
import { capped } from "../../support/store.ts";
import { catalog, db, emptied, index, queue, room } from "../../support/stored.ts";

const UNSAID = { name: null, owner: null, pinned: null };

const NOW = 1_000_000;
const row = (imageId: string) => db.prepare("SELECT * FROM images WHERE image_id = ?").bind(imageId).first();
const inUseUntil = async (imageId: string) => (await row(imageId))?.in_use_until;
const ids = async () => (await catalog.list()).map(({ imageId }) => imageId);

beforeEach(emptied);

describe("a kept image", () => {
  it("is in the index, with its commit as the first access", async () => {
    expect(await catalog.has("a")).toBe(false);
    await catalog.keep({ imageId: "a", attempt: "one", size: 2 ** 40 + 1 }, NOW);
    expect(await catalog.has("a")).toBe(true);
    expect(await catalog.list()).toEqual([
      { imageId: "a", size: 2 ** 40 + 1, hits: 0, lastAccessed: NOW, committedAt: NOW },
    ]);
    expect(await row("a")).toMatchObject({ attempt: "one", verified_at: NOW, scrubbed_at: NOW, reconciled_at: 0 });
  });

  it("is in use for a minute: those who followed its fill go on reading it", async () => {
    await index("a", NOW);
    expect(await inUseUntil("a")).toBe(NOW + 60_000);
    expect(await inUseUntil("never")).toBeUndefined();
  });

  it("takes the place of the one before, whose hits stay", async () => {
    await index("a", NOW, 10, "one");
    await catalog.recordUse([{ imageId: "a", hits: 3, lastAccessed: NOW + 9, inUseUntil: 0 }]);
    await index("a", NOW + 5, 20, "two");
    expect(await row("a")).toMatchObject({
      attempt: "two",
      size: 20,
      hits: 3,
      committed_at: NOW + 5,
      last_accessed: NOW + 9,
      verified_at: NOW + 5,
    });
  });

  it("leaves of its fill's room the half for the slices", async () => {
    await room.take({ imageId: "a", attempt: "one", size: 10 }, capped(100), NOW);
    expect(await room.sums()).toEqual({ kept: 0, filling: 20 });
    await index("a", NOW, 10, "one");
    expect(await room.sums()).toEqual({ kept: 10, filling: 10 });
    // Told once more, after an answer that was lost.
    await index("a", NOW, 10, "one");
    expect(await room.sums()).toEqual({ kept: 10, filling: 10 });
  });

  it("leaves other fills' room alone", async () => {
    await room.take({ imageId: "a", attempt: "other", size: 10 }, capped(100), NOW);
    await index("a", NOW, 10, "one");
    expect(await room.sums()).toEqual({ kept: 10, filling: 20 });
  });

  it("leaves the queue, and no other image does", async () => {
    await queue.add("a", NOW - 2_000);
    await queue.add("b", NOW - 2_000);
    await index("a", NOW);
    expect(await queue.ids(NOW)).toEqual(["b"]);
  });

  it("is all or nothing: what can't be written leaves the room and the queue", async () => {
    await queue.add("a", 1);
    await room.take({ imageId: "a", attempt: "one", size: 10 }, capped(100), NOW);
    await expect(catalog.keep({ imageId: "a", attempt: "one", size: Number.NaN }, NOW)).rejects.toThrow();
    expect(await queue.has("a")).toBe(true);
    expect(await room.sums()).toEqual({ kept: 0, filling: 20 });
  });

  it("can be removed, once and again", async () => {
    await index("a", NOW);
    await index("b", NOW);
    await catalog.remove("a");
    await catalog.remove("a");
    expect(await ids()).toEqual(["b"]);
  });
});

describe("an image's name", () => {
  const nameOf = async (imageId: string) => (await row(imageId))?.name;
  const NAME = "Ubuntu 24.04 – <img src=x> 日本語 \u{1f427}";

  it("is what the origin's record said at the fill, and says when it is asked again", async () => {
    await catalog.keep({ imageId: "a", attempt: "one", size: 1, name: NAME }, NOW);
    expect(await nameOf("a")).toBe(NAME);
    await catalog.reconciled([{ imageId: "a", ...UNSAID, name: "renamed" }], NOW);
    expect(await nameOf("a")).toBe("renamed");
  });

  it("stays where the origin does not say", async () => {
    await catalog.keep({ imageId: "a", attempt: "one", size: 1, name: NAME }, NOW);
    await catalog.reconciled([{ imageId: "a", ...UNSAID }], NOW);
    await index("a", NOW + 1, 1, "two");
    expect(await nameOf("a")).toBe(NAME);
  });

  it("is nothing in an index that was built anew", async () => {
    await catalog.adopt([{ imageId: "a", attempt: "one", size: 10, storedAt: 5 }]);
    expect(await nameOf("a")).toBeNull();
  });
});

describe("the list of kept images", () => {
  it("begins with the least recently used, and then goes by the id", async () => {
    expect(await catalog.list()).toEqual([]);
    await index("d", 3_000);
    await index("b", 1_000);
    await index("c", 1_000);
    await index("a", 1_000);
    await catalog.recordUse([{ imageId: "a", hits: 2, lastAccessed: 2_500, inUseUntil: 0 }]);
    expect(await ids()).toEqual(["b", "c", "a", "d"]);
  });

  it("is complete beyond one answer of the database, also where all were used at the same time", async () => {
    await catalog.adopt(
      Array.from({ length: 10_001 }, (_, at) => ({ imageId: `i${at}`, attempt: "x", size: 1, storedAt: 7 })),
    );
    const all = await ids();
    expect(all).toHaveLength(10_001);
    expect(new Set(all).size).toBe(10_001);
  });

  it("can be gone through by the ids", async () => {
    for (const imageId of ["c", "a", "b"]) await index(imageId, NOW);
    const behind = async (id: string) => (await catalog.after(id, 2)).map(({ imageId }) => imageId);
    expect(await behind("")).toEqual(["a", "b"]);
    expect(await behind("b")).toEqual(["c"]);
    expect(await behind("c")).toEqual([]);
  });

  it("names pinned ones behind all others, and those of one project alone", async () => {
    await catalog.keep({ imageId: "a", attempt: "one", size: 1, owner: "x", pinned: true }, 1_000);
    await catalog.keep({ imageId: "b", attempt: "one", size: 1, owner: "y" }, 2_000);
    await catalog.keep({ imageId: "c", attempt: "one", size: 1, owner: "x" }, 3_000);
    const order = async (owner?: string) => (await catalog.candidates(9, owner)).map(({ imageId }) => imageId);
    expect(await order()).toEqual(["b", "c", "a"]);
    expect(await order("x")).toEqual(["c", "a"]);
    await catalog.reconciled([{ imageId: "a", name: null, owner: "y", pinned: false }], NOW);
    expect(await order()).toEqual(["a", "b", "c"]);
    expect(await order("y")).toEqual(["a", "b"]);
    await catalog.reconciled([{ imageId: "a", ...UNSAID }], NOW);
    expect(await order("y")).toEqual(["a", "b"]);
  });

  it("names who may go first, with what stands against it", async () => {
    await index("b", 2_000, 20);
    await index("a", 1_000, 10);
    expect(await catalog.candidates(9)).toEqual([
      { imageId: "a", size: 10, lastAccessed: 1_000, inUseUntil: 61_000, pinned: false },
      { imageId: "b", size: 20, lastAccessed: 2_000, inUseUntil: 62_000, pinned: false },
    ]);
    expect(await catalog.candidates(1)).toHaveLength(1);
  });
});

describe("use", () => {
  it("is added up, all images in one call", async () => {
    await index("a", 0);
    await index("b", 0);
    await catalog.recordUse([
      { imageId: "a", hits: 3, lastAccessed: 10, inUseUntil: 100_000 },
      { imageId: "b", hits: 1, lastAccessed: 20, inUseUntil: 200_000 },
    ]);
    await catalog.recordUse([{ imageId: "a", hits: 4, lastAccessed: 30, inUseUntil: 300_000 }]);
    expect(await catalog.list()).toMatchObject([
      { imageId: "b", hits: 1, lastAccessed: 20 },
      { imageId: "a", hits: 7, lastAccessed: 30 },
    ]);
    expect([await inUseUntil("a"), await inUseUntil("b")]).toEqual([300_000, 200_000]);
  });

  it("that comes late, from another isolate, takes no time back but its hits count", async () => {
    await index("a", 0);
    await catalog.recordUse([{ imageId: "a", hits: 1, lastAccessed: 50, inUseUntil: 500_000 }]);
    await catalog.recordUse([{ imageId: "a", hits: 1, lastAccessed: 40, inUseUntil: 400_000 }]);
    expect(await catalog.list()).toMatchObject([{ hits: 2, lastAccessed: 50 }]);
    expect(await inUseUntil("a")).toBe(500_000);
  });

  it("of an image that is gone meanwhile brings it not back", async () => {
    await index("a", 0);
    await catalog.recordUse([
      { imageId: "gone", hits: 1, lastAccessed: 50, inUseUntil: 0 },
      { imageId: "a", hits: 1, lastAccessed: 50, inUseUntil: 0 },
    ]);
    expect(await catalog.list()).toMatchObject([{ imageId: "a", hits: 1 }]);
  });

  it("of nothing, and of a thousand images, is one call", async () => {
    await index("a", 0);
    await catalog.recordUse([]);
    const uses = Array.from({ length: 1_000 }, () => ({ hits: 1, lastAccessed: 1, inUseUntil: 1 }));
    await catalog.recordUse([
      ...uses.map((use) => ({ ...use, imageId: crypto.randomUUID() })),
      { imageId: "a", hits: 5, lastAccessed: 7, inUseUntil: 0 },
    ]);
    expect(await catalog.list()).toMatchObject([{ hits: 5, lastAccessed: 7 }]);
  });
});

describe("an index that is built anew from R2", () => {
  it("takes in what it does not know, and counts it", async () => {
    expect(await catalog.adopt([])).toBe(0);
    const found = [
      { imageId: "a", attempt: "one", size: 10, storedAt: 5 },
      { imageId: "b", attempt: "two", size: 20, storedAt: 6 },
    ];
    expect(await catalog.adopt(found)).toBe(2);
    expect(await catalog.list()).toEqual([
      { imageId: "a", size: 10, hits: 0, lastAccessed: 5, committedAt: 5 },
      { imageId: "b", size: 20, hits: 0, lastAccessed: 6, committedAt: 6 },
    ]);
    expect(await catalog.adopt(found)).toBe(0);
  });

  it("leaves what it knows, but for an attempt that is another one in R2", async () => {
    await index("a", NOW, 10, "one");
    await catalog.recordUse([{ imageId: "a", hits: 2, lastAccessed: NOW, inUseUntil: 0 }]);
    expect(await catalog.adopt([{ imageId: "a", attempt: "one", size: 10, storedAt: 5 }])).toBe(0);
    expect(await catalog.adopt([{ imageId: "a", attempt: "two", size: 30, storedAt: 5 }])).toBe(1);
    expect(await row("a")).toMatchObject({ attempt: "two", size: 30, hits: 2, committed_at: NOW });
  });
});

describe("those who go through all images", () => {
  it("scrub the one first that was not tried for the longest time", async () => {
    await index("b", 1_000);
    await index("a", 2_000, 10, "one");
    expect(await catalog.leastScrubbed(9)).toMatchObject([{ imageId: "b" }, { imageId: "a" }]);
    await catalog.scrubbing("b", 3_000);
    expect(await catalog.leastScrubbed(1)).toEqual([{ imageId: "a", attempt: "one", size: 10 }]);
  });

  it("note what was verified, if it is still the same attempt", async () => {
    await index("a", 1_000, 10, "one");
    await catalog.verified("a", "two", 5_000);
    expect(await row("a")).toMatchObject({ verified_at: 1_000 });
    await catalog.verified("a", "one", 5_000);
    expect(await row("a")).toMatchObject({ verified_at: 5_000 });
  });

  it("ask the origin about the one first that it was not asked about for the longest time", async () => {
    for (const imageId of ["a", "b", "c"]) await index(imageId, NOW);
    await catalog.reconciled(
      ["a", "c"].map((imageId) => ({ imageId, ...UNSAID })),
      7_000,
    );
    expect(await catalog.leastReconciled(2)).toEqual(["b", "a"]);
    await catalog.reconciled([], 8_000);
    await catalog.reconciled([{ imageId: "b", ...UNSAID }], 8_000);
    expect(await catalog.leastReconciled(9)).toEqual(["a", "c", "b"]);
  });
});
