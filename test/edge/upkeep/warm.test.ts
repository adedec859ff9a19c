/** PREFETCH_IMAGES: what is named is fetched before anybody asks, and takes nothing from those who do. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Env } from "../../../src/settings.ts";
import { CRONS, runUpkeep } from "../../../src/upkeep/cron.ts";
import { catalog, expectRoom, type SmallEdge, smallEdge, storedIds } from "../../support/cap.ts";
import { SOON } from "../../support/fills.ts";
import { keepLines } from "../../support/lines.ts";
import { edgeBefore, ownOrigin, sharedOrigin } from "../../support/own-origin.ts";
import {
  advance,
  backgroundCalls,
  backgroundPulls,
  backOffIsOver,
  bytesOf,
  emptyQueue,
  enqueue,
  notNow,
  queue,
  queued,
  serviceAccount,
} from "../../support/prefetching.ts";
import { expectImage, startReader } from "../../support/readers.ts";
import {
  asks,
  atOrigin,
  committed,
  createImage,
  download,
  expectCalls,
  type Image,
  type ImageOptions,
  setFaults,
} from "../../support/scenario.ts";
import { objectKeys, storeImage, use } from "../../support/store.ts";

const MB = 1_000_000;
const HOUR = 3_600_000;
const lines = keepLines();
let tag: string;
let edge: SmallEdge;
let settings: Partial<Env>;

/** An edge with so much room, bytes, that prefetches what bears this test's tag. */
async function warmEdge(cap: number, user: "admin" | "demo" = "admin", more: Partial<Env> = {}): Promise<void> {
  settings = { PREFETCH_IMAGES: `tag:${tag}`, ...more };
  edge = await smallEdge(cap, { ...serviceAccount(user), ...settings });
}

/** The clock's minute. */
async function minute(user: "admin" | "demo" | null = "admin"): Promise<void> {
  await runUpkeep(edgeBefore(sharedOrigin(), user, { env: { ...edge.env, ...settings } }), CRONS.minutely);
}

function namedImage(options: Partial<ImageOptions> = {}): Promise<Image> {
  return createImage({ size: MB, tags: ["other", tag], ...options });
}

async function patch(imageId: string, change: unknown): Promise<void> {
  const response = await atOrigin(`/v2/images/${imageId}`, {
    method: "PATCH",
    token: "admin",
    headers: { "content-type": "application/openstack-images-v2.1-json-patch" },
    body: JSON.stringify([change]),
  });
  expect(response.status).toBe(200);
  await response.body?.cancel();
}

const untag = (image: Image) => patch(image.id, { op: "replace", path: "/tags", value: [] });

beforeEach(async () => {
  tag = `t-${crypto.randomUUID()}`;
  await warmEdge(100 * MB);
});

describe("an image that is named", () => {
  it("is stored by the next minute, without a client, and 20 downloads cost the origin no more byte of it", async () => {
    const image = await namedImage();
    const other = await createImage({ size: MB });
    const cached = () => download(image.id, { method: "HEAD", headers: { "cache-control": "only-if-cached" } });
    const before = await cached();
    expect(before.status).toBe(504);
    await before.body?.cancel();
    await minute();
    // As docs/warm.md says to wait.
    await expect
      .poll(async () => {
        const answer = await cached();
        await answer.body?.cancel();
        return answer.status;
      }, SOON)
      .toBe(200);
    const readers = await Promise.all(Array.from({ length: 20 }, () => startReader(image.id)));
    for (const reader of readers) {
      expect(reader.cacheStatus).toBe("glance-edge; hit");
      await expectImage(reader, image);
    }
    expect(bytesOf(await backgroundPulls(image))).toBe(MB);
    expect(await backgroundCalls(other)).toEqual([]);
    // Of all these downloads only what asks for the right: no data.
    await expectCalls(...asks(image.id).map((call) => `*${call}`));
    await emptyQueue();
  });

  it("waits for those that somebody has queued", async () => {
    const named = await namedImage();
    await warmEdge(100 * MB, "admin", { PREFETCH_CONCURRENCY: "1" });
    await queue.addByPolicy([named.id], 1);
    const asked = await createImage({ size: MB });
    await enqueue([asked]);
    expect(await advance(1)).toBe(1);
    await emptyQueue();
    const pulls = await backgroundPulls(named, asked);
    expect(pulls.map(({ path }) => path.split("/")[3])).toEqual([asked.id, named.id]);
  });

  it("and kept already is not asked for again", async () => {
    const image = await namedImage();
    await minute();
    await committed(image.id);
    await patch(image.id, { op: "add", path: "/note", value: "changed" });
    await minute();
    expect(await backgroundPulls(image)).toHaveLength(1);
    expect(lines("upkeep.warm").map(({ queued }) => queued)).toEqual([1, 0]);
  });

  it("that has lost its tag before its turn leaves the queue without a transfer", async () => {
    const image = await namedImage();
    await queue.addByPolicy([image.id], 1);
    await untag(image);
    expect(await advance()).toBe(1);
    await emptyQueue();
    expect(await backgroundPulls(image)).toEqual([]);
    expect(lines("prefetch.left-queue")).toMatchObject([{ image_id: image.id }]);
  });

  it("that loses its tag while it is fetched is kept, once", async () => {
    const image = await namedImage();
    await setFaults(image.id, { rate: 2 * MB });
    await minute();
    await expect.poll(async () => (await backgroundPulls(image)).length, SOON).toBe(1);
    await untag(image);
    await minute();
    await committed(image.id);
    await emptyQueue();
    expect(await backgroundPulls(image)).toHaveLength(1);
  });

  it.each([
    [
      "is deactivated",
      (id: string) => atOrigin(`/v2/images/${id}/actions/deactivate`, { method: "POST", token: "admin" }),
    ],
    [
      "is deleted, for an account that does not see all",
      (id: string) => atOrigin(`/v2/images/${id}`, { method: "DELETE" }),
    ],
  ])("that %s before its turn leaves the queue: nobody waits for it", async (_, change) => {
    await warmEdge(100 * MB, "demo");
    const image = await namedImage();
    await queue.addByPolicy([image.id], 1);
    await (await change(image.id)).body?.cancel();
    await advance();
    await emptyQueue();
    expect(await backgroundPulls(image)).toEqual([]);
  });

  it("that the edge's account does not see is nobody's turn", async () => {
    const [mine, hidden] = [await namedImage(), await namedImage({ owner: "other" })];
    await warmEdge(100 * MB, "demo");
    await minute("demo");
    await committed(mine.id);
    await emptyQueue();
    expect(await backgroundCalls(hidden)).toEqual([]);
    expect(lines("upkeep.warm")).toMatchObject([{ queued: 1, finished: true }]);
  });
});

describe("a named image for which there is no room", () => {
  /** A kept image that was read so long ago. */
  async function readImage(hoursAgo: number): Promise<string> {
    const id = crypto.randomUUID();
    await storeImage(id, { size: MB, at: 1 });
    await use(id, Date.now() - hoursAgo * HOUR);
    return id;
  }

  it("takes none from what was read within a day: it is said once, and tried again a day later", async () => {
    await warmEdge(2.5 * MB);
    const read = await readImage(23);
    const image = await namedImage();
    await minute();
    const entry = await notNow(image);
    expect(entry).toMatchObject({ attempts: 0, lastError: "there is no room within CACHE_MAX_BYTES" });
    expect(entry.notBefore).toBeGreaterThan(Date.now() + 23 * HOUR);
    const asked = (await backgroundCalls(image)).length;
    await minute();
    await minute();
    expect(await backgroundCalls(image)).toHaveLength(asked);
    expect(lines("prefetch.unfit")).toMatchObject([
      { image_id: image.id, why: "there is no room within CACHE_MAX_BYTES" },
    ]);
    expect([...lines("fill.no-room"), ...lines("prefetch.failed")]).toEqual([]);
    expect(await storedIds()).toEqual(new Set([read]));
    await expectRoom(MB);
    expect(await objectKeys("fills/")).toEqual([]);
  });

  it("takes that of what nobody has read for a day, when its turn comes", async () => {
    await warmEdge(2.5 * MB);
    const image = await namedImage();
    const read = await readImage(23);
    await minute();
    await notNow(image);
    await use(read, Date.now() - 23 * HOUR);
    await catalog.remove(read);
    const old = await readImage(25);
    await backOffIsOver();
    await minute();
    await committed(image.id);
    expect(await storedIds()).toEqual(new Set([image.id]));
    expect(lines("image.evicted").map(({ image_id }) => image_id)).toContain(old);
  });

  it("takes none that is pinned, however old", async () => {
    await warmEdge(2.5 * MB);
    const pinned = await readImage(99);
    await catalog.reconciled([{ imageId: pinned, name: null, owner: null, pinned: true }], 1);
    const image = await namedImage();
    await minute();
    await notNow(image);
    expect(await storedIds()).toEqual(new Set([pinned]));
  });

  it("takes what it needs as soon as a client downloads it", async () => {
    await warmEdge(2.5 * MB);
    await readImage(1);
    const image = await namedImage();
    await minute();
    await notNow(image);
    const reader = await startReader(image.id, { env: edge.env });
    expect(reader.cacheStatus).toBe("glance-edge; fwd=uri-miss; stored");
    await expectImage(reader, image);
    await committed(image.id);
    expect(await storedIds()).toEqual(new Set([image.id]));
    await expectCalls(...asks(image.id), `*GET /v2/images/${image.id}/file`);
  });
});

describe("an image that somebody has queued", () => {
  it("is not fetched where CACHE_IMAGES does not name it, and the queue says why", async () => {
    await warmEdge(100 * MB, "admin", { CACHE_IMAGES: "tag:none" });
    const image = await createImage({ size: MB });
    await enqueue([image]);
    await advance();
    expect((await notNow(image)).lastError).toBe("the image is none that CACHE_IMAGES names");
    expect(await backgroundPulls(image)).toEqual([]);
  });

  it("is fetched whatever PREFETCH_IMAGES names, also if that had queued it before", async () => {
    const image = await namedImage();
    await queue.addByPolicy([image.id], 1);
    await untag(image);
    await enqueue([image]);
    await advance();
    await committed(image.id);
    expect(await queued(image)).toBeNull();
  });
});

describe("each minute", () => {
  it("a Glance that is away is one line, and the next minute goes on", async () => {
    const origin = ownOrigin();
    const id = crypto.randomUUID();
    await origin.control("PUT", `/images/${id}`, { size: 10, tags: [tag] });
    const run = () =>
      runUpkeep(edgeBefore(origin, "admin", { env: settings, settings: { prefetchConcurrency: 0 } }), CRONS.minutely);
    await origin.control("PUT", "/link", { down: true });
    await run();
    expect(lines("upkeep.warm-failed")).toHaveLength(1);
    expect(lines("upkeep.prefetch")).toHaveLength(1);
    await origin.control("PUT", "/link", {});
    await run();
    expect(lines("upkeep.warm")).toMatchObject([{ changed: 1, queued: 1, unfit: 0, finished: true }]);
    expect((await queue.list()).map(({ imageId }) => imageId)).toEqual([id]);
  });

  it("without an account of the edge's own it is said that nothing can be looked at", async () => {
    await minute(null);
    expect(lines("upkeep.warm")).toMatchObject([{ skipped: "no service credentials" }]);
  });

  it("without PREFETCH_IMAGES the origin is asked for no list", async () => {
    const origin = ownOrigin();
    await runUpkeep(edgeBefore(origin), CRONS.minutely);
    expect(await origin.listed()).toBe(0);
    expect(lines("upkeep.warm")).toEqual([]);
  });
});
