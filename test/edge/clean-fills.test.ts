/** The clean beside real fills: those under way lose nothing, those that have stalled go. */
import { beforeEach, describe, expect, it } from "vitest";
import { clean } from "../../src/upkeep/clean.ts";
import { bucketBut, fillStub } from "../support/bindings.ts";
import { fillEnv } from "../support/fill-env.ts";
import { pullByHand } from "../support/hand-puller.ts";
import { expectImage, startReader } from "../support/readers.ts";
import {
  asks,
  bindings,
  cacheImage,
  committed,
  createImage,
  download,
  expectCalls,
  isCommitted,
  setFaults,
  storedSlices,
} from "../support/scenario.ts";
import { emptyStore, generations } from "../support/store.ts";
import { keepLines, NEVER, upkeepTools } from "../support/upkeep.ts";

/** Nine slices: eight small ones and a part of a whole one. */
const SIZE = 512 * 1024 + 1_000;
const NOTHING = { stalled: 0, condemned: 0, orphans: 0, rows: 0, finished: true };
/** By the clock of the fills, which is the real one. */
const run = (cleanStallMs: number) => clean(upkeepTools({ cleanStallMs }, { now: Date.now }), NEVER);

keepLines();
beforeEach(async () => {
  fillEnv.changes = {};
  await emptyStore();
});

describe("a fill that somebody pulls", () => {
  it("keeps its slices, however short the time is after which a fill has stalled", async () => {
    const image = await createImage({ size: SIZE });
    const puller = await pullByHand(image);
    for (const slice of [0, 1, 2]) await puller.store(slice);
    expect(await run(0)).toEqual(NOTHING);
    expect(await storedSlices()).toHaveLength(3);
    for (const slice of [3, 4, 5, 6, 7, 8]) await puller.store(slice);
    await puller.agree();
    await committed(image.id);
    expect(await generations.room()).toEqual({ committed: SIZE, filling: 0, removing: 0 });
  });

  it("keeps its room before its first slice", async () => {
    const image = await createImage({ size: SIZE });
    const puller = await pullByHand(image);
    expect(await run(0)).toEqual(NOTHING);
    expect(await generations.room()).toEqual({ committed: 0, filling: SIZE, removing: 0 });
    await puller.store(0);
    expect(await storedSlices()).toHaveLength(1);
    await fillStub(image.id).stop();
  });

  it("is served right by a clean that never stops, from the first byte to the commit", async () => {
    const image = await createImage({ size: 4 * SIZE });
    await setFaults(image.id, { rate: 2_000_000 });
    const reader = await startReader(image.id);
    let cleans = 0;
    const end = Promise.all([expectImage(reader, image), committed(image.id)]).then(() => "end");
    while ((await Promise.race([end, scheduler.wait(1)])) !== "end") {
      expect(await run(60_000)).toEqual(NOTHING);
      cleans++;
    }
    expect(cleans).toBeGreaterThan(5);
    expect(await run(60_000)).toEqual(NOTHING);
    await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file`);
    const hit = await download(image.id);
    await hit.arrayBuffer();
    expect(hit.headers.get("cache-status")).toBe("glance-edge; hit");
    await expectCalls(...asks(image.id));
  });
});

describe("a fill that nobody pulls", () => {
  /** A fill of three slices whose puller left; the background would go on in five seconds. */
  async function leftAlone() {
    const image = await createImage({ size: SIZE });
    const puller = await pullByHand(image);
    for (const slice of [0, 1, 2]) await puller.store(slice);
    await fillStub(image.id).release(puller.turn.lease, puller.turn.generation, true);
    return image;
  }

  it("stays until it has stalled for long enough, and goes then with all that it stored", async () => {
    const image = await leftAlone();
    expect(await run(60_000)).toEqual(NOTHING);
    expect(await storedSlices()).toHaveLength(3);
    expect(await fillStub(image.id).progress()).toMatchObject({ slicesStored: 3, slicesTotal: 9 });
    expect(await run(0)).toEqual({ ...NOTHING, stalled: 1 });
    expect(await storedSlices()).toEqual([]);
    expect(await fillStub(image.id).progress()).toBeNull();
    expect(await generations.room()).toEqual({ committed: 0, filling: 0, removing: 0 });
  });

  it("stays as long as it is read back, though its last slice came long before", async () => {
    const get = async (key: string, options: R2GetOptions) => {
      await scheduler.wait(100);
      return bindings.BUCKET.get(key, options);
    };
    fillEnv.changes = { BUCKET: bucketBut({ get }) };
    const image = await createImage({ size: SIZE });
    const puller = await pullByHand(image);
    for (const slice of [0, 1, 2, 3, 4, 5, 6, 7, 8]) await puller.store(slice);
    const stored = Date.now();
    await puller.agree();
    await fillStub(image.id).release(puller.turn.lease, puller.turn.generation, true);
    for (; !(await isCommitted(image.id)); await scheduler.wait(20)) expect(await run(300)).toEqual(NOTHING);
    expect(Date.now() - stored).toBeGreaterThan(500);
    expect(await storedSlices()).toHaveLength(9);
  });

  it("leaves the others alone when it goes", async () => {
    const other = await createImage({ size: SIZE });
    const puller = await pullByHand(other);
    await puller.store(0);
    await leftAlone();
    expect(await run(0)).toEqual({ ...NOTHING, stalled: 1 });
    expect(await storedSlices()).toHaveLength(1);
    await puller.store(1);
    expect(await fillStub(other.id).progress()).toMatchObject({ slicesStored: 2 });
    await fillStub(other.id).stop();
  });

  it("can be begun again by the next download", async () => {
    const image = await leftAlone();
    await run(0);
    await cacheImage(image.id);
    expect(await isCommitted(image.id)).toBe(true);
  });
});

describe("what a fill has left", () => {
  it("after its commit is in order, while it still answers those who read along", async () => {
    const image = await createImage({ size: SIZE });
    await cacheImage(image.id);
    expect(await run(0)).toEqual(NOTHING);
    expect(await storedSlices()).toHaveLength(9);
  });

  it("as a second copy of a content stays as long as its readers may need it", async () => {
    const first = await createImage({ size: SIZE, seed: 7 });
    const second = await createImage({ size: SIZE, seed: 7 });
    await cacheImage(first.id);
    await cacheImage(second.id);
    expect(await run(0)).toEqual(NOTHING);
    expect(await storedSlices()).toHaveLength(18);
    expect(await generations.room()).toEqual({ committed: SIZE, filling: SIZE, removing: 0 });
    await fillStub(second.id).stop();
    expect(await storedSlices()).toHaveLength(9);
    expect(await generations.room()).toEqual({ committed: SIZE, filling: 0, removing: 0 });
  });

  it("of a generation that it dropped goes: a slice that came too late", async () => {
    const image = await createImage({ size: SIZE });
    const puller = await pullByHand(image);
    await puller.store(0);
    const { blob, generation } = puller.turn;
    await fillStub(image.id).stop();
    await bindings.BUCKET.put(`blobs/${blob}/${generation}/1`, "late");
    expect(await run(60_000)).toEqual({ ...NOTHING, orphans: 1 });
    expect(await storedSlices()).toEqual([]);
  });
});
