/** What runs by the clock. */

import { createExecutionContext, createScheduledController } from "cloudflare:test";
import { beforeEach, describe, expect, it } from "vitest";
import type { Edge } from "../../../src/context.ts";
import worker from "../../../src/index.ts";
import { Catalog } from "../../../src/store/catalog.ts";
import { Cursors } from "../../../src/store/cursors.ts";
import { RoomBook } from "../../../src/store/room.ts";
import { Traffic } from "../../../src/store/traffic.ts";
import { CRONS, runUpkeep } from "../../../src/upkeep/cron.ts";
import wranglerToml from "../../../wrangler.toml?raw";
import { fillStub } from "../../support/bindings.ts";
import { bindings } from "../../support/env.ts";
import { keepLines } from "../../support/lines.ts";
import { edgeBefore, type OwnOrigin, ownOrigin, sharedOrigin } from "../../support/own-origin.ts";
import {
  catalog,
  emptyStore,
  imageIds,
  objectKeys,
  queue,
  room,
  storeImage,
  storeSlices,
} from "../../support/store.ts";
import { rotten, unreachableFills } from "../../support/upkeep.ts";

const MINUTE = 60_000;
/** A database that is down. */
const DOWN = {
  prepare() {
    throw new Error("D1 is down");
  },
} as unknown as D1Database;

/** What each expression stands for. */
const TASKS: Readonly<Record<string, string[]>> = {
  [CRONS.minutely]: ["upkeep.prefetch"],
  [CRONS.tenMinutely]: ["upkeep.prune", "upkeep.reconcile"],
  [CRONS.hourly]: ["upkeep.figures", "upkeep.clean", "upkeep.scrub"],
};
/** A queue that nobody should send anything to: the tasks have nothing to tell. */
const unwantedQueue: Queue = {
  send: () => Promise.reject(new Error("nothing was to be sent")),
  sendBatch: () => Promise.reject(new Error("nothing was to be sent")),
  metrics: () => Promise.reject(new Error("nothing was to be asked")),
};

const lines = keepLines();
let origin: OwnOrigin;

beforeEach(async () => {
  await emptyStore();
  origin = ownOrigin();
});

/** All lines about tasks, without what differs from run to run. */
const summaries = () =>
  ["prefetch", "prune", "reconcile", "figures", "clean", "scrub"].flatMap((task) =>
    [...lines(`upkeep.${task}`), ...lines(`upkeep.${task}-failed`)].map(({ ms, ...line }) => {
      expect(ms).toBeTypeOf("number");
      return line;
    }),
  );
const info = { level: "info", test: true };

describe("wrangler.toml", () => {
  it("names just the expressions that the edge knows", () => {
    const crons: unknown = JSON.parse(/^crons = (\[.*\])$/m.exec(wranglerToml)?.[1] ?? "null");
    expect(crons).toEqual(Object.values(CRONS));
  });
});

describe("each ten minutes", () => {
  it("what was cleared is removed, the store is pruned, and the origin is asked", async () => {
    await storeImage("cleared", { at: 1_000 });
    await catalog.clear(2_000);
    const gone = await origin.cached({}, 3_000);
    const kept = await origin.cached({}, 3_000);
    await catalog.recordUse([{ imageId: kept, hits: 1, lastAccessed: 5_000, inUseUntil: 0 }]);
    await catalog.recordUse([{ imageId: gone, hits: 1, lastAccessed: 4_000, inUseUntil: 0 }]);
    await storeImage("older", { at: 3_000 });
    await origin.send("DELETE", `/v2/images/${gone}`);
    await runUpkeep(edgeBefore(origin, "admin", { settings: { cacheMaxBytes: 20 } }), CRONS.tenMinutely);
    expect(await imageIds()).toEqual([kept]);
    expect(summaries()).toEqual([
      { ...info, event: "upkeep.prune", cleared: 1, files: 1, bytes: 10, cap: 20, kept: 20, filling: 0 },
      { ...info, event: "upkeep.reconcile", asked: 2, evicted: 1, hidden: 0, unanswered: 0 },
    ]);
    expect(await objectKeys()).toEqual([`images/${kept}`]);
  });

  it("says that nobody asks the origin without service credentials", async () => {
    await runUpkeep(edgeBefore(origin, null), CRONS.tenMinutely);
    expect(summaries()[1]).toEqual({ ...info, event: "upkeep.reconcile", skipped: "no service credentials" });
  });

  it("the origin is asked though the prune has failed", async () => {
    const imageId = await origin.cached();
    await origin.send("DELETE", `/v2/images/${imageId}`);
    const edge: Edge = edgeBefore(origin);
    // Its sums can't be read, but the index itself is there.
    const sums = () => Promise.reject(new Error("D1 is down"));
    const half = Object.assign(new RoomBook(bindings.CATALOG), { sums });
    await runUpkeep({ ...edge, room: half }, CRONS.tenMinutely);
    expect(summaries()).toEqual([
      { level: "error", test: true, event: "upkeep.prune-failed", error: "Error: D1 is down" },
      { ...info, event: "upkeep.reconcile", asked: 1, evicted: 1, hidden: 0, unanswered: 0 },
    ]);
    expect(await imageIds()).toEqual([]);
  });

  it("the store is pruned though the origin can't be asked", async () => {
    await origin.cached();
    await origin.control("PUT", "/keystone", { status: 503 });
    await storeImage("old", { at: 0 });
    await runUpkeep(edgeBefore(origin, "admin", { settings: { cacheMaxBytes: 10 } }), CRONS.tenMinutely);
    expect(summaries().map(({ event }) => event)).toEqual(["upkeep.prune", "upkeep.reconcile-failed"]);
    expect(await room.sums()).toEqual({ kept: 10, filling: 0 });
  });
});

describe("each hour", () => {
  it("the store is cleaned and verified", async () => {
    await storeImage("a");
    await storeSlices("orphan");
    await runUpkeep(edgeBefore(origin, null), CRONS.hourly);
    expect(summaries()).toEqual([
      { ...info, event: "upkeep.figures", folded: 0 },
      { ...info, event: "upkeep.clean", attempts: 1, released: 0, rows: 0, adopted: 0, foreign: 0, finished: true },
      { ...info, event: "upkeep.scrub", verified: 1, bad: 0, bytes: 10 },
    ]);
  });

  it("it is verified though the clean has failed", async () => {
    await storeImage("a");
    await runUpkeep({ ...edgeBefore(origin, null), cursors: new Cursors(DOWN) }, CRONS.hourly);
    expect(summaries()).toEqual([
      { ...info, event: "upkeep.figures", folded: 0 },
      { level: "error", test: true, event: "upkeep.clean-failed", error: "Error: D1 is down" },
      { ...info, event: "upkeep.scrub", verified: 1, bad: 0, bytes: 10 },
    ]);
  });

  it("both may fail, which is told and not thrown", async () => {
    const down = { cursors: new Cursors(DOWN), catalog: new Catalog(DOWN), traffic: new Traffic(DOWN) };
    await runUpkeep({ ...edgeBefore(origin, null), ...down }, CRONS.hourly);
    const failed = ["upkeep.figures-failed", "upkeep.clean-failed", "upkeep.scrub-failed"];
    expect(summaries().map(({ event }) => event)).toEqual(failed);
  });

  it("each task that succeeded is noted, and one that could not be is told of", async () => {
    const began = Date.now();
    const { cursors, ...edge } = edgeBefore(origin, null);
    await runUpkeep({ ...edge, cursors, catalog: new Catalog(DOWN) }, CRONS.hourly);
    expect((await cursors.successes()).map(({ task }) => task)).toEqual(["figures"]);
    expect((await cursors.successes())[0]?.at).toBeGreaterThanOrEqual(began);
    await runUpkeep({ ...edge, cursors: new Cursors(DOWN) }, CRONS.hourly);
    expect(lines("upkeep.not-noted").map(({ task }) => task)).toEqual(["figures", "scrub"]);
  });

  it("old hours of figures are folded, and bad images counted", async () => {
    const { traffic } = edgeBefore(origin, null);
    await traffic.add([{ hour: 7, figure: "downloads", label: "hit", value: 3 }]);
    await storeImage("bad");
    await runUpkeep({ ...edgeBefore(origin, null), objects: rotten("bad") }, CRONS.hourly);
    expect(await traffic.hours(1, 100)).toEqual([]);
    await expect
      .poll(() => traffic.totals(), { timeout: 5_000 })
      .toMatchObject([
        { figure: "downloads", label: "hit", value: 3 },
        { figure: "mismatches", label: "scrub", value: 1 },
      ]);
  });
});

describe("each minute", () => {
  it("an empty queue is told of", async () => {
    await runUpkeep(edgeBefore(origin, null), CRONS.minutely);
    expect(summaries()).toEqual([{ ...info, event: "upkeep.prefetch", started: 0, lost: 0, queued: 0, failing: 0 }]);
  });

  it("an image whose fill was lost fails and gets another try; one that just began does not", async () => {
    const now = Date.now();
    await queue.add("lost", 1);
    await queue.claim(1, now - 6 * MINUTE);
    await queue.add("begun", 2);
    await queue.claim(2, now - MINUTE);
    await runUpkeep(edgeBefore(origin, null), CRONS.minutely);
    expect(summaries()).toEqual([{ ...info, event: "upkeep.prefetch", started: 0, lost: 1, queued: 2, failing: 1 }]);
    const [lost, begun] = await queue.list();
    expect(lost).toMatchObject({ imageId: "lost", attempts: 1, startedAt: null, lastError: "the fill was stopped" });
    expect(begun).toMatchObject({ imageId: "begun", attempts: 0, startedAt: now - MINUTE });
  });

  it("an image that its fill is still at work on stays started, however long it takes", async () => {
    const imageId = crypto.randomUUID();
    // At the origin that the fills of this test's workerd know.
    const shared = sharedOrigin();
    await shared.control("PUT", `/images/${imageId}`, { size: 4_000_000 });
    await shared.control("PUT", `/images/${imageId}/faults`, { rate: 100_000 });
    const fill = fillStub(imageId);
    await queue.add(imageId, 1);
    await queue.claim(1, Date.now() - 60 * MINUTE);
    await fill.lend(imageId, { target: { api: "v2", imageId }, headers: [["x-auth-token", "admin"]] });
    await fill.prefetch(imageId);
    await expect.poll(async () => (await fill.progress())?.queued).toBe(true);
    await runUpkeep(edgeBefore(origin, null), CRONS.minutely);
    expect(summaries()).toMatchObject([{ started: 0, lost: 0, queued: 1, failing: 0 }]);
    expect(await fill.remove(imageId, "always")).toBe("removed");
  });

  it("an image whose fill can't be asked stays started: it may well be at work", async () => {
    const startedAt = Date.now() - 60 * MINUTE;
    await queue.add("a", 1);
    await queue.claim(1, startedAt);
    await runUpkeep({ ...edgeBefore(origin, null), fills: unreachableFills }, CRONS.minutely);
    expect(summaries()).toEqual([{ ...info, event: "upkeep.prefetch", started: 0, lost: 0, queued: 1, failing: 0 }]);
    expect(await queue.list()).toMatchObject([{ imageId: "a", attempts: 0, startedAt, lastError: null }]);
    expect(lines("fill.unavailable")).toMatchObject([{ image_id: "a", call: "progress" }]);
  });

  it("a queue that can't be read is told of, not thrown", async () => {
    await bindings.CATALOG.prepare("ALTER TABLE queue RENAME TO elsewhere").run();
    await runUpkeep(edgeBefore(origin, null), CRONS.minutely);
    await bindings.CATALOG.prepare("ALTER TABLE elsewhere RENAME TO queue").run();
    expect(summaries()).toMatchObject([{ level: "error", event: "upkeep.prefetch-failed" }]);
  });

  it("the oldest images are started, as many as may be under way", async () => {
    for (const [index, imageId] of ["a", "b", "c"].entries()) await queue.add(imageId, index);
    await runUpkeep(edgeBefore(origin, null, { settings: { prefetchConcurrency: 2 } }), CRONS.minutely);
    expect(summaries()).toMatchObject([{ event: "upkeep.prefetch", started: 2, lost: 0, queued: 3 }]);
    // Their fills have nobody's rights: each fails, and the next one gets its place.
    await expect.poll(async () => (await queue.list()).map(({ attempts }) => attempts)).toEqual([1, 1, 1]);
  });
});

describe("a run", () => {
  it("by an expression that the edge does not know does nothing, and says so", async () => {
    await storeSlices("orphan");
    await runUpkeep(edgeBefore(origin, null), "0 0 * * *");
    expect(summaries()).toEqual([]);
    expect(lines("upkeep.unknown-cron")).toMatchObject([{ level: "error" }]);
    expect(await objectKeys()).toHaveLength(5);
  });

  it("comes from the platform with its expression, which each line names", async () => {
    const controller = createScheduledController({ cron: CRONS.hourly, scheduledTime: new Date() });
    await worker.scheduled(controller, bindings, createExecutionContext());
    expect(lines("upkeep.clean")).toMatchObject([{ cron: CRONS.hourly, request_id: expect.stringMatching(/^req-/) }]);
    expect(lines("upkeep.scrub")).toHaveLength(1);
  });

  it.each(Object.values(CRONS))("%s does its tasks with notifications and no PUBLIC_URL as well", async (cron) => {
    const env = { ...bindings, NOTIFICATIONS: unwantedQueue, PUBLIC_URL: "" };
    await storeSlices("orphan");
    await storeImage("a");
    const controller = createScheduledController({ cron, scheduledTime: new Date() });
    await worker.scheduled(controller, env, createExecutionContext());
    expect(lines("cron.failed")).toEqual([]);
    const done = summaries();
    expect(done.every(({ level }) => level === "info")).toBe(true);
    expect(done.map(({ event }) => event)).toEqual(TASKS[cron]);
  });

  it("with a wrong setting fails as a whole, names it, and runs no task", async () => {
    const controller = createScheduledController({ cron: CRONS.hourly, scheduledTime: new Date() });
    const wrong = worker.scheduled(controller, { ...bindings, SCRUB_BYTES: "much" }, createExecutionContext());
    await expect(wrong).rejects.toThrow("SCRUB_BYTES");
    expect(lines("cron.failed")).toMatchObject([{ level: "error", cron: CRONS.hourly }]);
    expect(summaries()).toEqual([]);
  });
});
