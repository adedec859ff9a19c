import { runInDurableObject } from "cloudflare:test";
import { beforeEach, describe, expect, it } from "vitest";
import type { FillState } from "../../../src/fill/object/state.ts";
import { fillClient, fillStub } from "../../support/bindings.ts";
import { expectRoom, slicesOf, smallEdge, storedIds } from "../../support/cap.ts";
import { fillEnv } from "../../support/fill-env.ts";
import { SOON } from "../../support/fills.ts";
import { keepLines } from "../../support/lines.ts";
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
} from "../../support/prefetching.ts";
import { startReader } from "../../support/readers.ts";
import {
  asks,
  atOrigin,
  bindings,
  committed,
  createImage,
  expectCalls,
  type Image,
  type ImageOptions,
  isCommitted,
  setFaults,
} from "../../support/scenario.ts";
import { capped, keysOf, room } from "../../support/store.ts";

const MB = 1_000_000;
const MINUTE = 60_000;
const MISMATCH = "the origin's data does not match the image's digest";
const lines = keepLines();

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
    ["because its data is wrong", {}, { corruptAt: 7 }, MISMATCH],
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
    await expect.poll(() => keysOf(image.id), SOON).toEqual([]);
    await expectRoom(0);
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

  it.each([
    ["half", 0.5 * MB + 1],
    ["all", MB + 1],
  ])(
    "because it is larger than %s of the cache says so: its slices and its object are there together",
    async (_, size) => {
      await smallEdge(MB, serviceAccount("admin"));
      const image = await createImage({ size });
      expect((await failing(image)).lastError).toContain("larger than half of CACHE_MAX_BYTES");
      expect(await backgroundPulls(image)).toEqual([]);
    },
  );

  it("because other fills hold the room says so, and takes none", async () => {
    await smallEdge(MB, serviceAccount("admin"));
    await room.take({ imageId: crypto.randomUUID(), attempt: "holder", size: 0.4 * MB }, capped(MB), 1);
    const image = await createImage({ size: 0.3 * MB });
    expect(await failing(image)).toMatchObject({
      attempts: 1,
      lastError: "there is no room within CACHE_MAX_BYTES",
    });
    expect(await keysOf(image.id)).toEqual([]);
    await expectRoom(0, 0.8 * MB);
  });

  it("because the origin fails again and again is given up after three reopenings, and begun anew later", async () => {
    const image = await createImage({ size: MB });
    await setFaults(image.id, { status: 503 });
    await enqueue([image]);
    expect(await advance()).toBe(1);
    await expect.poll(async () => (await queued(image))?.attempts, { timeout: 25_000 }).toBe(1);
    expect(await queued(image)).toMatchObject({ lastError: "the fill ended: fill-failed", startedAt: null });
    await setFaults(image.id, {});
    await backOffIsOver();
    await advance();
    await committed(image.id);
    expect(await queued(image)).toBeNull();
  });

  it("because the origin refuses its data gives way to nobody's rights, which it says", async () => {
    const image = await createImage({ size: MB });
    await setFaults(image.id, { status: 403 });
    await enqueue([image]);
    await advance();
    await expect.poll(async () => (await queued(image))?.attempts ?? 0, SOON).toBeGreaterThan(0);
    expect((await notNow(image)).lastError).toContain("nobody's rights");
    expect(await isCommitted(image.id)).toBe(false);
  });
});

describe("a queued image whose data is wrong", () => {
  it("gives its place to the next one at once", async () => {
    await smallEdge(100 * MB, { ...serviceAccount("admin"), PREFETCH_CONCURRENCY: "1" });
    const [image, next] = [await createImage({ size: 0.3 * MB }), await createImage({ size: 0.3 * MB })];
    await setFaults(image.id, { corruptAt: 7 });
    await enqueue([image, next]);
    expect(await advance(1)).toBe(1);
    await committed(next.id);
    expect(await notNow(image)).toMatchObject({ attempts: 1, lastError: MISMATCH });
  });

  it("is left alone: its next turns look at its record, and fetch nothing, until a client's download was right", async () => {
    const image = await createImage({ size: 0.3 * MB });
    await setFaults(image.id, { corruptAt: 7 });
    await failing(image);
    await setFaults(image.id, {});
    const pulls = (await backgroundPulls(image)).length;
    for (const attempts of [2, 3]) {
      await backOffIsOver();
      expect(await advance()).toBe(1);
      await expect.poll(async () => (await queued(image))?.attempts, SOON).toBe(attempts);
      expect(await queued(image)).toMatchObject({ lastError: MISMATCH, startedAt: null });
    }
    expect(await backgroundPulls(image)).toHaveLength(pulls);
    const reader = await startReader(image.id);
    expect(await reader.ended).toBe("whole");
    await committed(image.id);
    expect(await queued(image)).toBeNull();
    await expectCalls(...asks(image.id));
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

  it("because its hash is not computed yet is looked at again each minute, however often, and counts no failure", async () => {
    const image = await createImage({ size: 1_000, hash: "none" });
    await enqueue([image]);
    for (const looks of [1, 2, 3]) {
      expect(await advance()).toBe(1);
      await expect.poll(async () => (await backgroundCalls(image)).length, SOON).toBe(looks);
      const entry = await notNow(image);
      expect(entry).toMatchObject({
        attempts: 0,
        lastError: "the image's record states no digest that can be checked",
      });
      expect(entry.notBefore - Date.now()).toBeLessThanOrEqual(MINUTE);
      await backOffIsOver();
    }
  });

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

describe("a queued image that is fetched while D1", () => {
  it("forgets the queue's row is kept all the same", async () => {
    const image = await createImage({ size: 3 * MB });
    await setFaults(image.id, { rate: 3 * MB });
    await enqueue([image]);
    await advance();
    await expect.poll(() => slicesOf(image), SOON).not.toEqual([]);
    await bindings.CATALOG.prepare("DELETE FROM queue").run();
    await committed(image.id);
    const state = await runInDurableObject(fillStub(image.id), (_, { storage }) => storage.kv.get<FillState>("fill"));
    expect(state).toMatchObject({ queued: false, phase: { is: "kept" } });
    expect(lines("fill.not-done")).toEqual([]);
  });
});
