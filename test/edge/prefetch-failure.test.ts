import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { beforeEach, describe, expect, it } from "vitest";
import { Fill } from "../../src/fill/fill.ts";
import { newGeneration, SETBACKS_TOLERATED } from "../../src/fill/rules.ts";
import type { SavedFill } from "../../src/fill/storage.ts";
import { bucketBut, fillClient, fillStub } from "../support/bindings.ts";
import { generations, slicesOf, smallEdge, storedIds } from "../support/cap.ts";
import { fillEnv } from "../support/fill-env.ts";
import { pullByHand } from "../support/hand-puller.ts";
import {
  advance,
  backgroundCalls,
  backgroundPulls,
  backOffIsOver,
  emptyQueue,
  enqueue,
  notNow,
  queued,
  serviceAccount,
} from "../support/prefetching.ts";
import {
  atOrigin,
  bindings,
  committed,
  createImage,
  type Image,
  type ImageOptions,
  isCommitted,
  setFaults,
} from "../support/scenario.ts";

const MB = 1_000_000;
const SOON = { timeout: 5_000 };
const MINUTE = 60_000;

beforeEach(async () => {
  await smallEdge(100 * MB, serviceAccount("admin"));
});

/** Queues an image, gives it its turn, and waits until the queue says why it is not stored. */
async function failing(image: Image) {
  await enqueue([image]);
  expect(await advance()).toBe(1);
  return notNow(image);
}

describe("a queued image that can't be stored", () => {
  it.each<[string, Partial<ImageOptions>, Readonly<Record<string, unknown>>, string]>([
    [
      "because its record can't be had",
      {},
      { recordStatus: 500 },
      "the origin refused the image's record with status 500",
    ],
    ["because its data is wrong", {}, { corruptAt: 7 }, "the origin's data does not match the image's digest"],
    [
      "because it states no digest",
      { overrides: { os_hash_value: null, os_hash_algo: null, checksum: null } },
      {},
      "the image's record states no digest that can be checked",
    ],
    ["because it states no size", { overrides: { size: null } }, {}, "the image's record states no size"],
    ["because it is too large", { size: 2 * MB + 1 }, {}, "the image is larger than IMAGE_MAX_BYTES"],
  ])("%s waits, the longer the more often it failed, and says why", async (_, options, faults, reason) => {
    fillEnv.changes = { ...fillEnv.changes, IMAGE_MAX_BYTES: String(2 * MB) };
    const image = await createImage({ size: 0.3 * MB, ...options });
    await setFaults(image.id, faults);
    const first = await failing(image);
    expect(first).toMatchObject({ attempts: 1, lastError: reason, startedAt: null });
    expect(first.notBefore - Date.now()).toBeGreaterThan(MINUTE - 10_000);
    expect(first.notBefore - Date.now()).toBeLessThanOrEqual(MINUTE);
    // Not before its time.
    expect(await advance()).toBe(0);
    expect(await isCommitted(image.id)).toBe(false);
    expect(await slicesOf(image)).toEqual([]);
  });

  it("is tried again after its back-off, and then waits twice as long", async () => {
    const image = await createImage({ size: 0.3 * MB });
    await setFaults(image.id, { recordStatus: 503 });
    await failing(image);
    await backOffIsOver();
    expect(await advance()).toBe(1);
    await expect.poll(async () => (await queued(image))?.attempts, SOON).toBe(2);
    const again = await notNow(image);
    expect(again.notBefore - Date.now()).toBeGreaterThan(2 * MINUTE - 10_000);
    await setFaults(image.id, {});
    await backOffIsOver();
    await advance();
    await committed(image.id);
    expect(await queued(image)).toBeNull();
  });

  it("because it is larger than the whole cache says so", async () => {
    await smallEdge(MB, serviceAccount("admin"));
    const image = await createImage({ size: MB + 1 });
    expect((await failing(image)).lastError).toBe("the image is larger than CACHE_MAX_BYTES");
  });

  it("because other fills hold the room says so, and takes none", async () => {
    await smallEdge(MB, serviceAccount("admin"));
    const holder = await createImage({ size: MB });
    await pullByHand(holder);
    const image = await createImage({ size: 0.5 * MB });
    expect(await failing(image)).toMatchObject({
      attempts: 1,
      lastError: "there is no room within CACHE_MAX_BYTES",
    });
    expect(await backgroundPulls(image)).toEqual([]);
    expect((await generations.filling(9)).map(({ imageId }) => imageId)).toEqual([holder.id]);
  });

  it("because the origin refuses its data again and again is given up after four set-backs", async () => {
    const image = await createImage({ size: MB });
    await setFaults(image.id, { status: 403 });
    await enqueue([image]);
    await advance();
    const setbacks = () =>
      runInDurableObject(
        fillStub(image.id),
        (_, { storage }) => storage.kv.get<SavedFill>("fill")?.state.setbacks ?? 0,
      );
    await expect.poll(setbacks, SOON).toBe(1);
    expect((await queued(image))?.attempts).toBe(0);
    // As if the next two had failed as well, and their pauses were over.
    await runInDurableObject(fillStub(image.id), (_, { storage }) => {
      const fill = storage.kv.get<SavedFill>("fill");
      if (fill === undefined) throw new Error("there is no fill");
      storage.kv.put<SavedFill>("fill", { ...fill, state: { ...fill.state, setbacks: 3, quietUntil: 0 } });
    });
    await evictDurableObject(fillStub(image.id));
    await runDurableObjectAlarm(fillStub(image.id));
    const entry = await notNow(image);
    expect(entry.attempts).toBe(1);
    expect(entry.lastError).toContain("403");
    expect(await fillClient(image.id).progress()).toMatchObject({ progress: { wanted: false, slicesStored: 0 } });
    // Its next turn begins anew.
    await setFaults(image.id, {});
    await backOffIsOver();
    await advance();
    await committed(image.id);
  });
});

describe("a queued image whose data is wrong", () => {
  const MISMATCH = "the origin's data does not match the image's digest";

  it("is given up when a client's download says so as well, and its place goes to the next one at once", async () => {
    await smallEdge(100 * MB, { ...serviceAccount("admin"), PREFETCH_CONCURRENCY: "1" });
    const [image, next] = [await createImage({ size: MB }), await createImage({ size: MB })];
    const first = await pullByHand(image);
    await fillStub(image.id).disagreed(first.turn.generation);
    const second = await pullByHand(image);
    const pulls = (await backgroundPulls(image)).length;
    await enqueue([image, next]);
    expect(await advance(1)).toBe(1);
    await expect.poll(async () => (await queued(image))?.startedAt, SOON).not.toBeNull();
    await expect.poll(() => fillClient(image.id).progress(), SOON).toMatchObject({ progress: { wanted: true } });
    await fillStub(image.id).disagreed(second.turn.generation);
    expect(await notNow(image)).toMatchObject({ attempts: 1, lastError: MISMATCH });
    await committed(next.id);
    expect(await backgroundPulls(image)).toHaveLength(pulls);
  });

  it("is left alone for ten minutes, without another attempt", async () => {
    const image = await createImage({ size: 0.3 * MB });
    await setFaults(image.id, { corruptAt: 7 });
    expect((await failing(image)).attempts).toBe(1);
    await backOffIsOver();
    const pulls = (await backgroundPulls(image)).length;
    expect(await advance()).toBe(1);
    await expect.poll(async () => (await queued(image))?.notBefore, SOON).toBeGreaterThan(Date.now());
    const entry = await queued(image);
    expect(entry).toMatchObject({ attempts: 1, lastError: MISMATCH, startedAt: null });
    expect((entry?.notBefore ?? 0) - Date.now()).toBeGreaterThan(10 * MINUTE - 10_000);
    expect((entry?.notBefore ?? 0) - Date.now()).toBeLessThanOrEqual(10 * MINUTE);
    expect(await backgroundPulls(image)).toHaveLength(pulls);
  });

  it("and can't be read back is given up after four set-backs, and read back all the same later", async () => {
    const BUCKET = bucketBut({ get: () => Promise.reject(new Error("R2 is out of order")) });
    await smallEdge(100 * MB, { ...serviceAccount("admin"), BUCKET });
    const image = await createImage({ size: 0.3 * MB });
    await enqueue([image]);
    await advance();
    const state = () =>
      runInDurableObject(fillStub(image.id), (_, { storage }) => storage.kv.get<SavedFill>("fill")?.state);
    await expect.poll(state, SOON).toMatchObject({ setbacks: 1 });
    // As if the next two had failed as well, and their pauses were over.
    await runInDurableObject(fillStub(image.id), (_, { storage }) => {
      const fill = storage.kv.get<SavedFill>("fill");
      if (fill === undefined) throw new Error("there is no fill");
      storage.kv.put<SavedFill>("fill", { ...fill, state: { ...fill.state, setbacks: 3, quietUntil: 0 } });
    });
    await evictDurableObject(fillStub(image.id));
    await runDurableObjectAlarm(fillStub(image.id));
    const entry = await notNow(image);
    expect(entry.attempts).toBe(1);
    expect(entry.lastError).toContain("R2 is out of order");
    const { slices } = (await state()) ?? {};
    expect(await state()).toMatchObject({ wanted: false, stored: slices });
  });

  it("and a queue that can't be told is told again after a while, not in a circle", async () => {
    const image = await createImage({ size: 0.3 * MB });
    await enqueue([image]);
    const told: number[] = [];
    const prepare = (sql: string) => {
      if (/^SELECT attempts|^UPDATE queue/.test(sql.trim())) told.push(Date.now());
      throw new Error("D1 is out of order");
    };
    const CATALOG = { prepare, batch: () => Promise.reject(new Error("D1 is out of order")) } as unknown as D1Database;
    await runInDurableObject(fillStub(image.id), async (_, ctx) => {
      const digest = { algorithm: "sha512", hex: "x" } as const;
      const subject = { imageId: image.id, blob: "sha512-x", digest, checksum: null, size: image.size };
      const fresh = newGeneration(
        null,
        { blob: "sha512-x", generation: "g", slices: 8, sliceBytes: 512 * 1024 },
        Date.now(),
      );
      const state = { ...fresh, wanted: true, setbacks: SETBACKS_TOLERATED };
      ctx.storage.kv.put<SavedFill>("fill", { subject, state });
      await new Fill(ctx, { ...bindings, CATALOG }).alarm();
      expect(told).toHaveLength(1);
      expect((await ctx.storage.getAlarm()) ?? 0).toBeGreaterThan(Date.now() + 20_000);
      await new Fill(ctx, bindings).alarm();
    });
    expect(await notNow(image)).toMatchObject({ attempts: 1 });
  });
});

describe("a queued image that is not there to be fetched", () => {
  it("because it was deleted leaves the queue", async () => {
    const image = await createImage({ size: MB });
    await enqueue([image]);
    await atOrigin(`/v2/images/${image.id}`, { method: "DELETE", token: "admin" });
    await advance();
    await emptyQueue();
    expect(await backgroundPulls(image)).toEqual([]);
    expect(await fillClient(image.id).progress()).toEqual({ fill: "none" });
  });

  it("because it never was leaves the queue", async () => {
    await enqueue([{ id: crypto.randomUUID() }]);
    await advance();
    await emptyQueue();
  });

  it.each(["queued", "saving", "importing", "deactivated"])(
    "because it is %s waits without an attempt",
    async (status) => {
      const image = await createImage({ size: MB, overrides: { status } });
      const entry = await failing(image);
      expect(entry).toMatchObject({ attempts: 0, lastError: `the image's status is ${status}` });
      expect(entry.notBefore - Date.now()).toBeGreaterThan(MINUTE - 10_000);
      expect(entry.notBefore - Date.now()).toBeLessThanOrEqual(MINUTE);
      expect(await backgroundPulls(image)).toEqual([]);
      expect(await backgroundCalls(image)).toHaveLength(1);
      expect(await storedIds()).toEqual(new Set());
    },
  );

  it("because it is deactivated is fetched once it is active again", async () => {
    const image = await createImage({ size: MB });
    const act = async (action: string) => {
      const response = await atOrigin(`/v2/images/${image.id}/actions/${action}`, { method: "POST", token: "admin" });
      expect(response.status).toBe(204);
    };
    await act("deactivate");
    await failing(image);
    await act("reactivate");
    await backOffIsOver();
    await advance();
    await committed(image.id);
    expect(await queued(image)).toBeNull();
  });
});
