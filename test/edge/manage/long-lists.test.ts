/** The cache's management over lists of 50,000: what a request does is counted, since the time it takes is the machine's. */

import { beforeEach, describe, expect, it } from "vitest";
import { clearCache } from "../../../src/manage/clear.ts";
import type { ListedFill } from "../../../src/manage/list-fills.ts";
import { runUpkeep } from "../../../src/upkeep/cron.ts";
import { reachedFills } from "../../support/bindings.ts";
import { bindings } from "../../support/env.ts";
import { keepLines } from "../../support/lines.ts";
import { catalogThat, expectEmpty, expectJson, expectRefusal, manage, manageIn } from "../../support/manage.ts";
import { edgeBefore, ownOrigin } from "../../support/own-origin.ts";
import { settled } from "../../support/scenario.ts";
import { capped, catalog, emptyStore, indexOnly, queue, room } from "../../support/store.ts";

const MANY = 50_000;
const NOW = Date.now();
/** Far from what it takes, and far below what it took when each row cost a call. */
const SOON_MS = 50_000;
const lines = keepLines();

const uuid = (number: number, kind = "4000") => `${String(number).padStart(8, "0")}-0000-${kind}-8000-000000000000`;
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);

async function queueMany(count = MANY): Promise<string[]> {
  const ids = numbers(count).map((number) => uuid(number));
  await bindings.CATALOG.prepare("INSERT INTO queue (image_id, queued_at) SELECT value, key FROM json_each(?1)")
    .bind(JSON.stringify(ids))
    .run();
  return ids;
}

/** Images in the index. @param at when they were committed */
async function storeMany(count = MANY, at = 1): Promise<string[]> {
  const ids = numbers(count).map((number) => uuid(number, "4001"));
  await indexOnly(ids, at);
  return ids;
}

/** A D1 that counts what it is asked, and Fills that note whose were reached for. */
function counted(answers?: () => boolean) {
  const { fills, reached } = reachedFills(answers);
  const statements: string[] = [];
  const watched = catalogThat(async (sql) => void statements.push(sql));
  const env = { FILL: fills, ...watched };
  return { env, reached, statements };
}

async function within<T>(work: Promise<T>): Promise<T> {
  const began = Date.now();
  const result = await work;
  expect(Date.now() - began).toBeLessThan(SOON_MS);
  return result;
}

beforeEach(async () => {
  await emptyStore();
});

describe("with 50,000 queued images", () => {
  it.each(["queue", ""])(
    "DELETE /v2/cache, target %j, makes no Durable Object for one that never ran",
    async (target) => {
      await queueMany();
      const { env, reached, statements } = counted();
      const headers = { "x-image-cache-clear-target": target };
      await expectEmpty(await within(manage("DELETE /v2/cache", { headers, env })), 204);
      expect(reached).toEqual([]);
      expect(statements.length).toBeLessThan(12);
      expect(await queue.counts()).toEqual({ queued: 0, failing: 0 });
      await settled();
    },
  );

  it("DELETE /v2/queued_images tells those that run, and counts all", async () => {
    await queueMany();
    const running = await queue.claim(32, 100);
    const { env, reached } = counted();
    const response = await within(manage("DELETE /v2/queued_images", { env }));
    expect(await expectJson(response)).toEqual({ num_deleted: MANY });
    expect([...new Set(reached)].sort()).toEqual(running.sort());
    expect(reached.length).toBeLessThanOrEqual(64);
    expect(await queue.counts()).toEqual({ queued: 0, failing: 0 });
  });

  it("DELETE /v2/cache tells one that has slices from a failed attempt as well", async () => {
    const [id = ""] = await queueMany(100);
    await room.take({ imageId: id, attempt: "g", size: 1 }, capped(100), 1);
    const { env, reached } = counted();
    await expectEmpty(
      await manage("DELETE /v2/cache", { headers: { "x-image-cache-clear-target": "queue" }, env }),
      204,
    );
    expect(new Set(reached)).toEqual(new Set([id]));
    expect(await queue.ids(NOW)).toEqual([]);
  });

  it.each([
    ["DELETE /v2/cache", MANY],
    ["DELETE /v2/queued_images", MANY],
  ])("%s that reaches no Fill says so and keeps what runs, and a retry ends it", async (line) => {
    await queueMany();
    const running = await queue.claim(3, 100);
    let up = false;
    const { env, reached } = counted(() => up);
    const message = "Not all that is being fetched could be ended. Try again later.";
    await expectRefusal(await manageIn("json", line, { env }), "json", 503, message);
    expect((await queue.ids(NOW)).sort()).toEqual(running.sort());
    reached.length = 0;
    up = true;
    await (await manage(line, { env })).arrayBuffer();
    expect(new Set(reached)).toEqual(new Set(running));
    expect(await queue.ids(NOW)).toEqual([]);
    await settled();
  });

  it.each(["DELETE /v2/cache/{id}", "DELETE /v2/queued_images/{id}"])(
    "%s of one whose Fill can't be reached says so, and keeps it for a retry",
    async (line) => {
      const [id = ""] = await queueMany(2);
      await queue.claim(1, 100);
      let up = false;
      const { env } = counted(() => up);
      const message = "Not all that is being fetched could be ended. Try again later.";
      await expectRefusal(await manageIn("json", line.replace("{id}", id), { env }), "json", 503, message);
      expect(await queue.has(id)).toBe(true);
      up = true;
      expect((await manage(line.replace("{id}", id), { env })).ok).toBe(true);
      expect(await queue.has(id)).toBe(false);
      await settled();
      await queue.clearIdle();
    },
  );

  it.each(["GET /v2/cache", "GET /v2/queued_images"])("%s lists them all, in a few statements", async (line) => {
    const ids = await queueMany();
    const { env, reached, statements } = counted();
    const body = (await expectJson(await within(manage(line, { env })))) as { queued_images: string[] };
    expect(body.queued_images).toEqual(ids);
    expect(reached).toEqual([]);
    expect(statements.length).toBeLessThan(10);
  });

  it("the run of each minute asks only those that have been under way for long, and counts the rest", async () => {
    await queueMany();
    const running = await queue.claim(2, 100);
    const { env, reached, statements } = counted();
    await runUpkeep(edgeBefore(ownOrigin(), null, { env, settings: { prefetchConcurrency: 0 } }), "* * * * *");
    expect(reached.sort()).toEqual(running.sort());
    expect(statements.length).toBeLessThan(10);
    expect(lines("upkeep.prefetch")).toMatchObject([{ started: 0, lost: 2, queued: MANY, failing: 2 }]);
  });
});

interface Fills {
  readonly fills: ListedFill[];
  readonly next?: string;
}

describe("GET /v2/cache/fills", () => {
  const page = async (query = "", env = {}) =>
    (await expectJson(
      await manage(query.startsWith("/") ? `GET ${query}` : `GET /v2/cache/fills${query}`, { env }),
    )) as Fills;
  const idsOf = ({ fills }: Fills) => fills.map(({ image_id }) => image_id);

  it("of 50,000 gives the first 100, where the next are, and asks only Fills that run", async () => {
    const ids = await queueMany();
    const running = await queue.claim(2, 100);
    const { env, reached, statements } = counted();
    const first = await within(page("", env));
    expect(idsOf(first)).toEqual(ids.slice(0, 100));
    expect(reached.sort()).toEqual(running.sort());
    expect(statements.length).toBeLessThan(4);
    expect(idsOf(await page(first.next))).toEqual(ids.slice(100, 200));
  });

  it("of 50,000 is walked in 50 pages, each with the same few statements", async () => {
    const ids = await queueMany();
    const { env, reached, statements } = counted();
    const seen: string[] = [];
    let pages = 0;
    for (let path: string | undefined = "?limit=1000"; path !== undefined; pages++) {
      const fills: Fills = await page(path, env);
      for (const { image_id } of fills.fills) seen.push(image_id);
      path = fills.next;
    }
    expect([pages, reached]).toEqual([50, []]);
    expect(statements.length).toBeLessThanOrEqual(2 * pages);
    expect(seen).toEqual(ids);
  });

  it.each([
    ["?limit=0", 0],
    ["?limit=1", 1],
    ["?limit=%2B5", 5],
    ["?limit=999", 999],
    ["?limit=1000", 1_000],
    ["?limit=1001", 1_000],
    ["?limit=99999999999999999999", 1_000],
  ])("%s gives %i of them", async (query, count) => {
    await queueMany(1_100);
    expect((await page(query)).fills).toHaveLength(count);
  });

  it.each([
    ["?limit=x", "limit param must be an integer"],
    ["?limit=", "limit param must be an integer"],
    ["?limit=1.5", "limit param must be an integer"],
    ["?limit=-1", "limit param must be positive"],
    ["?marker=", "The marker is not in the list."],
    ["?marker=x", "The marker is not in the list."],
    [`?marker=${uuid(7)}`, "The marker is not in the list."],
  ])("%s is refused: %s", async (query, message) => {
    await expectRefusal(await manageIn("json", `GET /v2/cache/fills${query}`), "json", 400, message);
  });

  it("goes on behind an image's id, as Glance's lists do, and keeps the limit in the next link", async () => {
    const ids = await queueMany(5);
    const { next, ...second } = await page(`?limit=2&marker=${ids[0]}`);
    expect(idsOf(second)).toEqual(ids.slice(1, 3));
    expect(next).toBe(`/v2/cache/fills?limit=2&marker=queued-2-${ids[2]}`);
    const last = await page(next);
    expect(idsOf(last)).toEqual(ids.slice(3));
    expect(last).not.toHaveProperty("next");
  });

  it("goes on at the same place though the image there has gone", async () => {
    const ids = await queueMany(4);
    const { next } = await page("?limit=2");
    await queue.remove(ids[1] ?? "");
    expect(idsOf(await page(next))).toEqual(ids.slice(2));
  });

  it("has the fills of downloads behind the queue, each once, page by page", async () => {
    const ids = await queueMany(3);
    // They can't be reached, so that they are told of as D1 knows them.
    const { env } = counted(() => false);
    const downloads = numbers(4).map((number) => uuid(number, "4002"));
    for (const [index, imageId] of downloads.entries()) {
      await room.take({ imageId, attempt: `g${index}`, size: 10 + index }, capped(1_000), 5);
    }
    // A second attempt at the same image, and one at a queued one.
    await room.take({ imageId: downloads[0] ?? "", attempt: "h", size: 1 }, capped(1_000), 6);
    await room.take({ imageId: ids[0] ?? "", attempt: "q", size: 1 }, capped(1_000), 4);
    const seen: string[] = [];
    for (let path: string | undefined = "?limit=2"; path !== undefined; ) {
      const fills: Fills = await page(path, env);
      seen.push(...idsOf(fills));
      path = fills.next;
    }
    expect(seen).toEqual([...ids, ...downloads]);
    expect(idsOf(await page(`?marker=${downloads[1]}`, env))).toEqual(downloads.slice(2));
    expect((await page(`?marker=${downloads[2]}`, env)).fills).toEqual([
      {
        image_id: downloads[3],
        state: "filling",
        bytes_stored: null,
        size: 13,
        readers: 0,
        queued_at: null,
        not_before: null,
        attempts: 0,
        last_error: null,
      },
    ]);
  });
});

describe("with 50,000 stored images", () => {
  it("GET /v2/cache lists them all, the least recently used first, in a few statements", async () => {
    const ids = await storeMany();
    const { env, statements } = counted();
    const body = (await expectJson(await within(manage("GET /v2/cache", { env })))) as {
      cached_images: { image_id: string }[];
    };
    expect(body.cached_images.map(({ image_id }) => image_id)).toEqual(ids);
    expect(statements.length).toBeLessThan(10);
  });

  it("a clear takes them all out of the lists at once, and has as many removed as there is time for", async () => {
    await storeMany();
    const asked: string[] = [];
    const remove = (imageId: string) => async () => {
      asked.push(imageId);
      return "removed";
    };
    const fills = new Proxy(bindings.FILL, {
      get: (_, name) => (name === "get" ? (id: string) => ({ remove: remove(id) }) : (id: string) => id),
    });
    // Each removal takes 10 ms: all of them would take eight minutes.
    const edge = edgeBefore(ownOrigin(), null, { env: { FILL: fills } });
    const images = await clearCache({ ...edge, now: () => NOW + asked.length * 10 });
    expect(images).toBe(MANY);
    expect(asked).toHaveLength(500);
    const { cached_images } = (await expectJson(await manage("GET /v2/cache"))) as { cached_images: unknown[] };
    expect(cached_images).toEqual([]);
    expect(await catalog.cleared({ at: -1, imageId: "" }, 99_999)).toHaveLength(MANY);
  });

  it("DELETE /v2/cached_images counts them all in a few statements", async () => {
    await storeMany();
    const { env, statements } = counted();
    const none = new Proxy(bindings.FILL, { get: (_, name) => (name === "get" ? () => ({ remove: busy }) : String) });
    const busy = async () => "busy";
    const response = await within(manage("DELETE /v2/cached_images", { env: { ...env, FILL: none } }));
    expect(await expectJson(response)).toEqual({ num_deleted: MANY });
    // One for each page of 200 that it comes to, besides.
    expect(statements.length).toBeLessThan(3 + MANY / 200 + 2);
  });
});
