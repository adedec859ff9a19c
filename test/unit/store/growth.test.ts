/** What the index reads does not grow with it: D1 bills each row that is looked at, and answers one question after the other. */
import { beforeAll, describe, expect, it } from "vitest";
import { countingDatabase, NOTHING } from "../../../bench/floors/counting.ts";
import { Catalog } from "../../../src/store/catalog.ts";
import { ImageList, type ImageQuery } from "../../../src/store/image-list.ts";
import { BEGINNING, PrefetchQueue } from "../../../src/store/queue.ts";
import { RoomBook } from "../../../src/store/room.ts";
import { capped } from "../../support/store.ts";
import { db, emptied } from "../../support/stored.ts";

const FEW = 100;
const MANY = 5_000;
const OWNERS = 10;

/** Kept images that differ in all that they are sorted by, but for when they were last reconciled: never. */
async function fill(images: number): Promise<void> {
  await emptied();
  await db
    .prepare(
      `INSERT INTO images (image_id, name, owner, attempt, size, committed_at, hits, last_accessed, verified_at, scrubbed_at)
       WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
       SELECT printf('%08x', i * 7919 % 999983), 'image ' || i, 'owner ' || (i % ${OWNERS}), 'a', i, i, i, i, i, i FROM n`,
    )
    .bind(images)
    .run();
}

const counts = { ...NOTHING };
const counted = countingDatabase(db, counts);
const [catalog, room, list] = [new Catalog(counted), new RoomBook(counted), new ImageList(counted)];
const queue = new PrefetchQueue(counted);
const page = (sort: ImageQuery["sort"], order: ImageQuery["order"]) =>
  list.part({ sort, order, filter: "", limit: 50, offset: 0 });
let attempt = 0;

const QUESTIONS: readonly (readonly [what: string, ask: () => Promise<unknown>])[] = [
  ["whether an image is kept", () => catalog.has("00001eef")],
  ["how many there are", () => catalog.count()],
  ["which was used least recently", () => catalog.candidates(20)],
  ["which of a project's was used least recently", () => catalog.candidates(5, "owner 3")],
  ["which was not scrubbed for the longest time", () => catalog.leastScrubbed(20)],
  ["which was not reconciled for the longest time", () => catalog.leastReconciled(20)],
  ["which were cleared", () => catalog.cleared(BEGINNING, 20)],
  ["what all of them take", () => room.sums()],
  ["what a project's take", () => room.sumsOf("owner 3")],
  ["which project has too much", () => room.ownersAbove(1)],
  [
    "whether there is room",
    () => room.take({ imageId: "x", attempt: `${++attempt}`, size: 1, owner: "owner 3" }, capped(1e12), 1),
  ],
  ["what the page sums up", () => list.sums()],
  ["what a policy queues", () => queue.addByPolicy(["00001eef", "nobody's"], 1)],
  ...(["name", "size", "last_accessed", "verified_at", "committed_at"] as const).flatMap((sort) =>
    (["asc", "desc"] as const).map((order) => [`a page by ${sort}, ${order}`, () => page(sort, order)] as const),
  ),
];

describe("the index", () => {
  const read = new Map<string, number[]>();
  beforeAll(async () => {
    for (const images of [FEW, MANY]) {
      await fill(images);
      for (const [what, ask] of QUESTIONS) {
        const before = counts.rowsRead;
        await ask();
        read.set(what, [...(read.get(what) ?? []), counts.rowsRead - before]);
      }
    }
  });

  it.each(QUESTIONS)(`reads as much of ${MANY} images as of ${FEW} to know %s`, (what) => {
    const [few = 0, many = 0] = read.get(what) ?? [];
    expect(few).toBeGreaterThan(0);
    expect(many).toBeLessThanOrEqual(few + 2);
  });

  it("has summed up what its rows hold, whatever was done to them", async () => {
    await catalog.keep({ imageId: "new", attempt: "n", size: 1_000, owner: null }, 9);
    await catalog.keep({ imageId: "new", attempt: "m", size: 2_000, owner: "owner 3" }, 9);
    await catalog.keep({ imageId: "other", attempt: "o", size: 7, owner: "only this one's" }, 9);
    await catalog.reconciled([{ imageId: "new", name: null, owner: "owner 4", pinned: null }], 10);
    await catalog.adopt([{ imageId: "adopted", attempt: "a", size: 50, storedAt: 3 }]);
    await catalog.adopt([{ imageId: "new", attempt: "z", size: 3_000, storedAt: 3 }]);
    await catalog.remove("other");
    await db.prepare("DELETE FROM images WHERE size % 7 = 0").run();
    const rows = `SELECT 'all' AS whose, COUNT(*) AS images, SUM(size) AS bytes FROM images
      UNION ALL SELECT 'owner:' || COALESCE(owner, ''), COUNT(*), SUM(size) FROM images GROUP BY owner ORDER BY whose`;
    const held = await db.prepare("SELECT * FROM held ORDER BY whose").all();
    expect(held.results).toEqual((await db.prepare(rows).all()).results);
    expect(held.results).toHaveLength(OWNERS + 2);
  });
});
