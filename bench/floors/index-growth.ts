/**
 * What the edge asks of its index, by its own code and without the rest of it. `PUT /?images=N` makes an index of so many images,
 * `GET /?ask=NAME&times=N` asks so often and tells what one time cost; `GET /` tells the names.
 */
import { Catalog } from "../../src/store/catalog.ts";
import { ImageList, type ImageQuery } from "../../src/store/image-list.ts";
import { leastRecentlyUsed } from "../../src/store/least-recently-used.ts";
import { BEGINNING, PrefetchQueue } from "../../src/store/queue.ts";
import { RoomBook } from "../../src/store/room.ts";
import { countingDatabase, NOTHING } from "./counting.ts";

interface Env {
  readonly CATALOG: D1Database;
}

const OWNERS = 100;
const SIZE = 2 ** 30;
/** Rows that one statement makes. */
const STEP = 10_000;
/** Images that are looked at in one go where room is made (src/fill/make-room.ts). */
const CANDIDATES = 5_000;

type Ask = () => Promise<unknown>;

function asks(db: D1Database): Readonly<Record<string, Ask>> {
  const [catalog, room, list, queue] = [new Catalog(db), new RoomBook(db), new ImageList(db), new PrefetchQueue(db)];
  const page = (sort: ImageQuery["sort"], filter = "") =>
    list.part({ sort, order: "desc", filter, limit: 100, offset: 0 });
  const caps = { cacheMaxBytes: 2 ** 52, ownerMaxBytes: 2 ** 50 };
  return {
    "look-up": () => catalog.stateOf("00001eef"),
    "room for a fill": async () => {
      await room.take({ imageId: "x", attempt: "x", size: SIZE, owner: "owner 3" }, caps, 1);
      await room.release("x");
    },
    "room's sum": () => room.sums(),
    "choice of what goes": async () => leastRecentlyUsed(await catalog.candidates(CANDIDATES), SIZE, 1e12),
    "the same, of one project": async () =>
      leastRecentlyUsed(await catalog.candidates(CANDIDATES, "owner 3"), SIZE, 1e12),
    "prune with nothing to do": () =>
      Promise.all([catalog.cleared(BEGINNING, 200), room.ownersAbove(2 ** 50), room.sums()]),
    "next to reconcile": () => catalog.leastReconciled(100),
    "next to scrub": () => catalog.leastScrubbed(200),
    "page's state": () =>
      Promise.all([room.sums(), list.sums(), queue.counts(), queue.page(BEGINNING, 100), room.running(100)]),
    "page of the list, by last use": () => page("last_accessed"),
    "page of the list, by name": () => page("name"),
    "page of the list, by hits": () => page("hits"),
    "page of the list, searched": () => page("last_accessed", "image 77"),
    "a hit is counted": () => catalog.recordUse([{ imageId: "00001eef", hits: 1, lastAccessed: 1, inUseUntil: 1 }]),
    "GET /v2/cache, which has no pages": () => catalog.list(),
  };
}

export default {
  async fetch(request, { CATALOG }): Promise<Response> {
    const query = new URL(request.url).searchParams;
    if (request.method === "PUT") {
      await make(CATALOG, Number(query.get("images")));
      return new Response(null, { status: 204 });
    }
    const counts = { ...NOTHING };
    const all = asks(countingDatabase(CATALOG, counts));
    const ask = all[query.get("ask") ?? ""];
    if (ask === undefined) return Response.json(Object.keys(all));
    const times = Number(query.get("times"));
    await ask();
    const before = { ...counts };
    const began = Date.now();
    for (let time = 0; time < times; time++) await ask();
    return Response.json({
      ms: (Date.now() - began) / times,
      rowsRead: (counts.rowsRead - before.rowsRead) / times,
      rowsWritten: (counts.rowsWritten - before.rowsWritten) / times,
    });
  },
} satisfies ExportedHandler<Env>;

/** Images that differ in all that they are sorted by, but for when they were last reconciled: never. */
async function make(db: D1Database, images: number): Promise<void> {
  await db.prepare("DELETE FROM images").run();
  for (let from = 0; from < images; from += STEP) {
    await db
      .prepare(
        `INSERT INTO images (image_id, name, owner, attempt, size, committed_at, hits, last_accessed, verified_at, scrubbed_at)
         WITH RECURSIVE n (i) AS (SELECT ?1 + 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
         SELECT printf('%08x', i * 7919 % 999983), 'image ' || CAST(i AS INTEGER), 'owner ' || (i % ${OWNERS}), 'a', ${SIZE}, i, i % 1000,
                i * 31 % 999983, i, i FROM n`
          .replaceAll("?1", String(from))
          .replaceAll("?2", String(Math.min(images, from + STEP))),
      )
      .run();
  }
}
