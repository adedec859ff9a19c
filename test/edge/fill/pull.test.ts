/** One pull: the demo origin's bytes through the gate into slices in R2, and each way in which that can end. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { BufferPool } from "../../../src/fill/object/pool.ts";
import { type PullJob, pull } from "../../../src/fill/object/pull.ts";
import { fetchBy } from "../../../src/lib/fetch.ts";
import { createLog } from "../../../src/lib/log.ts";
import { sliceCount, sliceLength, sliceStart } from "../../../src/store/slice-plan.ts";
import { SliceStore } from "../../../src/store/slices.ts";
import { bucketBut, sliceOf } from "../../support/bindings.ts";
import { bindings } from "../../support/env.ts";
import { attempt } from "../../support/fill-states.ts";
import { RANDOM_ACCESS } from "../../support/fills.ts";
import { createImage, type Image, setFaults, trueBytes } from "../../support/scenario.ts";
import { bucket, bytesOf, slices } from "../../support/stored.ts";
import { BUFFER_MS, PUT_MS } from "../../support/times.ts";

const SLICE_BYTES = 512 * 1024;
const SIZE = 3 * SLICE_BYTES + 12_345;
const PLAN = { size: SIZE, sliceBytes: SLICE_BYTES };
const COUNT = sliceCount(PLAN);

interface Pulled {
  readonly image: Image;
  readonly job: PullJob;
  readonly pool: BufferPool;
  /** What the fill was told to be stored, in order. */
  readonly told: number[];
}

async function jobFor(image: Image, stored = 0, change: Partial<PullJob> = {}): Promise<Pulled> {
  const told: number[] = [];
  const pool = new BufferPool(4 * SLICE_BYTES);
  const subject = {
    imageId: image.id,
    size: SIZE,
    digest: { algorithm: "sha512", hex: image.os_hash_value ?? "" },
    checksum: image.checksum,
  } as const;
  const job: PullJob = {
    filling: attempt(stored, { ...PLAN, subject, fetched: 0 }),
    rights: { target: { api: "v2", imageId: image.id }, headers: [["x-auth-token", "demo"]] },
    at: { origin: bindings.ORIGIN_URL, publicUrl: null, originFetch: fetchBy(undefined) },
    stallMs: 30_000,
    slices,
    pool,
    owner: "test",
    signal: new AbortController().signal,
    log: createLog({ test: true }),
    admitted: Promise.resolve(true),
    stored: (count) => void told.push(count),
    ...change,
  };
  return { image, job, pool, told };
}

const newJob = async (faults: Readonly<Record<string, unknown>> = {}, change: Partial<PullJob> = {}) => {
  const image = await createImage({ size: SIZE });
  await setFaults(image.id, faults);
  return jobFor(image, 0, change);
};

async function storedSlices({ image }: Pulled): Promise<number[]> {
  const { objects } = await bucket.list({ prefix: `fills/${image.id}/mine/` });
  return objects.map(({ key }) => Number(key.slice(key.lastIndexOf("/") + 1))).sort((a, b) => a - b);
}

/** Stores the image's first slices, as a pull before this one has. */
async function storeFirst(image: Image, count: number, change = (bytes: Uint8Array) => bytes): Promise<void> {
  const bytes = await trueBytes(image.id);
  for (let slice = 0; slice < count; slice++) {
    const start = sliceStart(PLAN, slice);
    const piece = new Uint8Array(bytes.slice(start, start + sliceLength(PLAN, slice)));
    await slices.put({ imageId: image.id, attempt: "mine" }, slice, change(piece));
  }
}

/** The bucket's slices, stored by a put of the test's own. */
const putting = (put: (key: string, value: Uint8Array, options: R2PutOptions) => Promise<unknown>) =>
  new SliceStore(bucketBut({ put }));

/** A pull that goes on behind three slices, one of which R2 begins to give and never ends. */
async function stalledAt(stalled: number, change: Partial<PullJob> = {}): Promise<Pulled> {
  const image = await createImage({ size: SIZE });
  await storeFirst(image, 3);
  const get = async (key: string, options: R2GetOptions) => {
    const object = await bucket.get(key, options);
    if (object === null || sliceOf(key) !== stalled) return object;
    const { readable, writable } = new IdentityTransformStream();
    writable
      .getWriter()
      .write(new Uint8Array(10))
      .catch(() => undefined);
    return { size: object.size, body: readable };
  };
  return jobFor(image, 3, { ...change, slices: new SliceStore(bucketBut({ get })) });
}

beforeEach(() => {
  // Pauses before further tries: what is tried again is what is tested, not when.
  const wait = scheduler.wait.bind(scheduler);
  vi.spyOn(scheduler, "wait").mockImplementation((ms, options) => wait(Math.min(ms, 20), options));
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe("a pull from an origin that is right", () => {
  it("stores all slices, in order as far as it tells, and gives its memory back", async () => {
    const pulled = await newJob();
    expect(await pull(pulled.job)).toEqual({ end: "complete", fetched: SIZE, firstByteMs: expect.any(Number) });
    expect(pulled.told.at(-1)).toBe(COUNT);
    expect(pulled.told).toEqual([...pulled.told].sort((a, b) => a - b));
    expect(pulled.pool.used).toBe(0);
    const bytes = await trueBytes(pulled.image.id);
    for (let slice = 0; slice < COUNT; slice++) {
      const [start, length] = [sliceStart(PLAN, slice), sliceLength(PLAN, slice)];
      const source = { imageId: pulled.image.id, attempt: "mine" };
      const body = await slices.open(source, { slice, size: length, offset: 0, length });
      if (body === null) throw new Error(`slice ${slice} is missing`);
      expect(await bytesOf(body)).toEqual(new Uint8Array(bytes.slice(start, start + length)));
    }
  });

  it.each([1, 9, COUNT - 1])(
    "goes on behind %i stored slices, and costs no more than the rest, or the image where only that can be read",
    async (stored) => {
      const image = await createImage({ size: SIZE });
      await storeFirst(image, stored);
      const pulled = await jobFor(image, stored);
      expect(await pull(pulled.job)).toEqual({
        end: "complete",
        fetched: RANDOM_ACCESS ? SIZE - sliceStart(PLAN, stored) : SIZE,
        firstByteMs: expect.any(Number),
      });
      expect(await storedSlices(pulled)).toHaveLength(COUNT);
    },
  );

  it("skips forward where the origin ignores ranges", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { ignoreRange: true });
    await storeFirst(image, 9);
    const pulled = await jobFor(image, 9);
    expect(await pull(pulled.job)).toEqual({ end: "complete", fetched: SIZE, firstByteMs: expect.any(Number) });
  });

  it("does not wait for ever for the end of one that has all and does not end", async () => {
    const pulled = await newJob({ chunked: true, stallAt: SIZE }, { stallMs: 2_000 });
    expect(await pull(pulled.job)).toEqual({ end: "complete", fetched: SIZE, firstByteMs: expect.any(Number) });
  });

  it("opens the origin again where a connection was cut", async () => {
    const pulled = await newJob({ cutAt: 1_000_000, cutTimes: 1 });
    expect(await pull(pulled.job)).toMatchObject({ end: "complete" });
  });

  it("puts the last slice only when all before it are there, since it is what proves them", async () => {
    const ended: number[] = [];
    let before: number[] = [];
    const store = putting(async (key, value, options) => {
      const slice = sliceOf(key);
      before = [...ended];
      await new Promise((resolve) => setTimeout(resolve, 50));
      const created = await bucket.put(key, value, options);
      ended.push(slice);
      return created;
    });
    const pulled = await newJob({}, { slices: store });
    expect(await pull(pulled.job)).toMatchObject({ end: "complete" });
    const count = sliceCount(pulled.job.filling);
    expect(before).toHaveLength(count - 1);
    expect(ended.at(-1)).toBe(count - 1);
  });
});

describe("a pull of wrong data", () => {
  it.each<[string, Readonly<Record<string, unknown>>]>([
    ["in its first byte", { corruptAt: 0 }],
    ["in the middle", { corruptAt: Math.floor(SIZE / 2) }],
    ["in its last byte", { corruptAt: SIZE - 1 }],
    ["with a byte too much", { longBy: 1 }],
  ])("is a mismatch, and never stores the last slice: wrong %s", async (_, faults) => {
    const pulled = await newJob(faults);
    expect(await pull(pulled.job)).toMatchObject({ end: "mismatch" });
    expect(await storedSlices(pulled)).not.toContain(COUNT - 1);
    expect(pulled.told).not.toContain(COUNT);
    expect(pulled.pool.used).toBe(0);
  });

  it("behind a wrong beginning is a mismatch", async () => {
    const image = await createImage({ size: SIZE });
    await storeFirst(image, 3, (bytes) => bytes.fill(0));
    const pulled = await jobFor(image, 3);
    expect(await pull(pulled.job)).toMatchObject({ end: "mismatch" });
    expect(await storedSlices(pulled)).not.toContain(COUNT - 1);
  });
});

describe("a pull that the origin ends", () => {
  it.each<[string, Readonly<Record<string, unknown>>]>([
    ["a byte early", { shortBy: 1 }],
    ["at the same byte each time", { cutAt: 1_500_000 }],
  ])("is broken, and what was stored stays: %s", async (_, faults) => {
    const pulled = await newJob(faults);
    expect(await pull(pulled.job)).toMatchObject({ end: "broken", relay: null });
    expect((await storedSlices(pulled)).length).toBeGreaterThan(0);
    expect(await storedSlices(pulled)).not.toContain(COUNT - 1);
    expect(pulled.pool.used).toBe(0);
  });

  it("with an error of its own is broken, with what it said", async () => {
    const end = await pull((await newJob({ status: 503 })).job);
    expect(end).toMatchObject({ end: "broken", fetched: 0, relay: { status: 503 } });
  });

  it.each([401, 403, 404])("with a refusal (%i) is one of these rights", async (status) => {
    const pulled = await newJob({ status });
    expect(await pull(pulled.job)).toEqual({ end: "refused", status, fetched: 0, firstByteMs: null });
    expect(pulled.pool.used).toBe(0);
  });

  it("by sending it encoded can't be fetched", async () => {
    expect(await pull((await newJob({ contentEncoding: "gzip" })).job)).toMatchObject({ end: "encoded" });
  });
});

describe("a pull whose store fails", () => {
  it("once per slice goes on", async () => {
    const tried = new Set<string>();
    const store = putting((key, value, options) => {
      if (tried.has(key)) return bucket.put(key, value, options);
      tried.add(key);
      return Promise.reject(new Error("R2 is down"));
    });
    const pulled = await newJob({}, { slices: store });
    expect(await pull(pulled.job)).toMatchObject({ end: "complete" });
    expect(tried.size).toBe(COUNT);
  });

  it("after the put, so that its answer is lost, goes on", async () => {
    const store = putting(async (key, value, options) => {
      const created = await bucket.put(key, value, options);
      if (created !== null) throw new Error("Network connection lost.");
      return created;
    });
    expect(await pull((await newJob({}, { slices: store })).job)).toMatchObject({ end: "complete" });
  });

  it("always ends, and gives its memory back", async () => {
    const pulled = await newJob({}, { slices: putting(() => Promise.reject(new Error("R2 is down"))) });
    expect(await pull(pulled.job)).toMatchObject({ end: "store-failed" });
    expect([pulled.told, pulled.pool.used]).toEqual([[], 0]);
  });

  it("because other bytes are in a slice's place ends", async () => {
    const pulled = await newJob();
    await bucket.put(`fills/${pulled.image.id}/mine/4`, "other");
    expect(await pull(pulled.job)).toMatchObject({ end: "store-failed" });
    expect(Math.max(0, ...pulled.told)).toBeLessThanOrEqual(4);
  });

  it("to answer ends, and the memory of what hangs stays taken", async () => {
    const set = globalThis.setTimeout;
    // A minute is the bound of one put.
    vi.spyOn(globalThis, "setTimeout").mockImplementation(((run: () => void, ms: number) =>
      set(run, ms === 60_000 ? 50 : ms)) as unknown as typeof setTimeout);
    const pulled = await newJob({}, { slices: putting(() => new Promise(() => undefined)) });
    expect(await pull(pulled.job)).toMatchObject({ end: "store-hangs" });
    expect(pulled.pool.used).toBeGreaterThan(0);
  });

  it("to give back what was stored before ends", async () => {
    const image = await createImage({ size: SIZE });
    await storeFirst(image, 3);
    await bucket.delete(`fills/${image.id}/mine/1`);
    const pulled = await jobFor(image, 3);
    expect(await pull(pulled.job)).toEqual({ end: "slices-lost", fetched: 0, firstByteMs: null });
    expect(pulled.pool.used).toBe(0);
  });
});

describe("a pull whose stored slice", () => {
  it("begins and does not end when it is read again is broken", async () => {
    const pulled = await stalledAt(1);
    expect(await pull(pulled.job)).toMatchObject({ end: "broken", fetched: 0 });
    expect(pulled.pool.used).toBe(0);
  });
});

describe("a pull that is not to go on", () => {
  it("because there is no room stores nothing", async () => {
    const pulled = await newJob({}, { admitted: Promise.resolve(false) });
    expect(await pull(pulled.job)).toMatchObject({ end: "aborted" });
    expect([await storedSlices(pulled), pulled.pool.used]).toEqual([[], 0]);
  });

  it("because it was stopped ends, after what it is putting", async () => {
    const stopping = new AbortController();
    let running = 0;
    const store = putting(async (key, value, options) => {
      running++;
      stopping.abort(new Error("stopped"));
      const created = await bucket.put(key, value, options);
      running--;
      return created;
    });
    const pulled = await newJob({ rate: 5_000_000 }, { slices: store, signal: stopping.signal });
    expect(await pull(pulled.job)).toMatchObject({ end: "aborted" });
    expect([running, pulled.pool.used]).toEqual([0, 0]);
  });

  it("because it was stopped before there was memory for it never asks the origin", async () => {
    const stopping = new AbortController();
    const pulled = await newJob({}, { signal: stopping.signal });
    await pulled.job.pool.take(4 * SLICE_BYTES, new AbortController().signal);
    const pulling = pull(pulled.job);
    stopping.abort(new Error("stopped"));
    expect(await pulling).toEqual({ end: "aborted", fetched: 0, firstByteMs: null });
  });
});

describe("a pull that was stopped", () => {
  it("does not wait for a slice of its own that it reads again", async () => {
    const stopping = new AbortController();
    const pulled = await stalledAt(1, { signal: stopping.signal });
    const began = Date.now();
    const pulling = pull(pulled.job);
    await scheduler.wait(20);
    stopping.abort(new Error("stopped"));
    expect(await pulling).toEqual({ end: "aborted", fetched: 0, firstByteMs: null });
    expect(Date.now() - began).toBeLessThan(PUT_MS);
    expect(pulled.pool.used).toBe(0);
  });

  it("does not wait for an origin that does not answer", async () => {
    const stopping = new AbortController();
    const pulled = await newJob({ delayMs: 5_000 }, { signal: stopping.signal });
    const began = Date.now();
    const pulling = pull(pulled.job);
    await scheduler.wait(20);
    stopping.abort(new Error("stopped"));
    expect(await pulling).toEqual({ end: "aborted", fetched: 0, firstByteMs: null });
    expect(Date.now() - began).toBeLessThan(4_000);
    expect(pulled.pool.used).toBe(0);
  });

  it("puts nothing behind its end, though there was no word about room before", async () => {
    const stopping = new AbortController();
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const pulled = await newJob({}, { signal: stopping.signal, admitted: promise });
    const pulling = pull(pulled.job);
    await scheduler.wait(20);
    stopping.abort(new Error("stopped"));
    resolve(true);
    expect(await pulling).toMatchObject({ end: "aborted" });
    await scheduler.wait(20);
    expect([await storedSlices(pulled), pulled.told, pulled.pool.used]).toEqual([[], [], 0]);
  });
});

describe("the memory of pulls", () => {
  it("is waited for before the origin is opened, and is no stall of its", async () => {
    const pulled = await newJob({}, { stallMs: 50 });
    const give = await pulled.pool.take(4 * SLICE_BYTES, new AbortController().signal);
    const pulling = pull(pulled.job);
    await scheduler.wait(20);
    expect(pulled.told).toEqual([]);
    give();
    expect(await pulling).toMatchObject({ end: "complete" });
  });

  it("that does not come in time ends it, and is tried again", async () => {
    const set = globalThis.setTimeout;
    vi.spyOn(globalThis, "setTimeout").mockImplementation(((run: () => void, ms: number) =>
      set(run, ms === BUFFER_MS ? 50 : ms)) as unknown as typeof setTimeout);
    const pulled = await newJob();
    await pulled.job.pool.take(4 * SLICE_BYTES, new AbortController().signal);
    expect(await pull(pulled.job)).toMatchObject({ end: "no-memory", fetched: 0 });
  });

  it("stays within its bound, and five puts at a time, however slow they are", async () => {
    let running = 0;
    let most = 0;
    let mostUsed = 0;
    const pool = new BufferPool(2 * SLICE_BYTES);
    const store = putting(async (key, value, options) => {
      most = Math.max(most, ++running);
      mostUsed = Math.max(mostUsed, pool.used);
      await new Promise((resolve) => setTimeout(resolve, 30));
      const created = await bucket.put(key, value, options);
      running--;
      return created;
    });
    const all = await Promise.all([1, 2, 3].map(() => newJob({}, { slices: store, pool })));
    const ends = await Promise.all(all.map(({ job }) => pull(job)));
    expect(ends.map(({ end }) => end)).toEqual(["complete", "complete", "complete"]);
    expect(mostUsed).toBeLessThanOrEqual(2 * SLICE_BYTES);
    expect(most).toBeLessThanOrEqual(15);
    expect(pool.used).toBe(0);
  });
});
