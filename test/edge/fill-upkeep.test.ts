import { beforeEach, describe, expect, it } from "vitest";
import { fillClient, fillStub } from "../support/bindings.ts";
import { catalog, file, generations, slicesOf, smallEdge, storedImage } from "../support/cap.ts";
import { pullByHand } from "../support/hand-puller.ts";
import { advance, backgroundPulls, enqueue, queue, serviceAccount } from "../support/prefetching.ts";
import { expectImage, startReader } from "../support/readers.ts";
import {
  asks,
  committed,
  createImage,
  expectCalls,
  goesOn,
  type Image,
  isCommitted,
  setFaults,
  settled,
} from "../support/scenario.ts";

const MB = 1_000_000;
const SOON = { timeout: 5_000 };
const NOTHING = { committed: 0, filling: 0, removing: 0 };
const DAY = 86_400_000;

beforeEach(async () => {
  await smallEdge(100 * MB, serviceAccount("admin"));
});

async function slowImage(): Promise<Image> {
  const image = await createImage({ size: MB });
  await setFaults(image.id, { rate: MB });
  return image;
}

/** The image is being fetched from its queue, and has a slice. */
async function beingFetched(): Promise<Image> {
  const image = await slowImage();
  await enqueue([image]);
  await advance();
  await expect.poll(async () => (await slicesOf(image)).length, SOON).toBeGreaterThan(0);
  return image;
}

async function expectNothingOf(image: Image): Promise<void> {
  expect(await fillClient(image.id).progress()).toEqual({ fill: "none" });
  await expect.poll(() => slicesOf(image), SOON).toEqual([]);
  expect(await generations.room()).toEqual(NOTHING);
  expect(await isCommitted(image.id)).toBe(false);
}

describe("taking an image out of the cache, but not from its users,", () => {
  it("lets a fill go on that a client pulls", async () => {
    const image = await slowImage();
    const reader = await startReader(image.id);
    await reader.has(200_000);
    await fillStub(image.id).stopUnused();
    await expectImage(reader, image);
    await settled();
    await committed(image.id);
    await expectCalls(...asks(image.id), file(image), goesOn(image.id));
  });

  it("ends a fill that only the background pulls, and takes away what it stored", async () => {
    const image = await beingFetched();
    await queue.remove(image.id);
    await fillStub(image.id).stopUnused();
    await expectNothingOf(image);
    // What was on its way then is taken away as well.
    await expect.poll(async () => (await backgroundPulls(image)).every(({ bytes }) => bytes < MB), SOON).toBe(true);
    await scheduler.wait(300);
    await expectNothingOf(image);
  });

  it("lets the background's go on while a client reads along", async () => {
    const image = await beingFetched();
    const reader = await startReader(image.id);
    expect(reader.cacheStatus).toBe("glance-edge; fwd=uri-miss; collapsed");
    await fillStub(image.id).stopUnused();
    await expectImage(reader, image);
    await settled();
    await committed(image.id);
    await expectCalls(...asks(image.id));
  });

  it("ends a fill that nobody pulls any more", async () => {
    const image = await createImage({ size: MB });
    const puller = await pullByHand(image);
    await puller.store(0);
    await fillStub(image.id).left(puller.reader);
    await fillStub(image.id).release(puller.turn.lease, puller.turn.generation, true);
    await fillStub(image.id).stopUnused();
    await expectNothingOf(image);
  });

  it("forgets one that is committed, whose slices are the catalog's", async () => {
    const edge = await smallEdge(100 * MB);
    const image = await storedImage(edge, MB);
    const slices = await slicesOf(image);
    expect(await fillClient(image.id).progress()).toMatchObject({ progress: { committed: true } });
    await fillStub(image.id).stopUnused();
    expect(await fillClient(image.id).progress()).toEqual({ fill: "none" });
    expect(await slicesOf(image)).toEqual(slices);
    expect(await catalog.find(image.id)).not.toBeNull();
  });

  it("forgets one that is committed under a client that still reads along, which gets the rest by the catalog", async () => {
    const image = await slowImage();
    const puller = await startReader(image.id);
    const slow = await startReader(image.id, { pauseAt: 1 });
    expect(slow.cacheStatus).toBe("glance-edge; fwd=uri-miss; collapsed");
    await expectImage(puller, image);
    await committed(image.id);
    await fillStub(image.id).stopUnused();
    expect(await fillClient(image.id).progress()).toEqual({ fill: "none" });
    slow.resume();
    await expectImage(slow, image);
    await settled();
    await expectCalls(...asks(image.id), ...asks(image.id), file(image), goesOn(image.id));
  });

  it("is nothing where there is no fill", async () => {
    const id = crypto.randomUUID();
    await fillStub(id).stopUnused();
    expect(await fillClient(id).progress()).toEqual({ fill: "none" });
  });
});

describe("the clean's question to a Fill", () => {
  /** A fill that nobody pulls, with one slice; the background is to be quiet. */
  async function abandoned(): Promise<{ image: Image; generation: string }> {
    const image = await createImage({ size: MB });
    const { turn, store } = await pullByHand(image);
    await store(0);
    await fillStub(image.id).release(turn.lease, turn.generation, true);
    return { image, generation: turn.generation };
  }

  it("removes what has stalled, with its slices and its room", async () => {
    const { image, generation } = await abandoned();
    expect(await slicesOf(image)).toHaveLength(1);
    expect(await fillClient(image.id).clean(generation, 0)).toBe("removed");
    await expectNothingOf(image);
    expect(await fillClient(image.id).clean(generation, 0)).toBe("unknown");
  });

  it("keeps what has not lain for so long", async () => {
    const { image, generation } = await abandoned();
    expect(await fillClient(image.id).clean(generation, DAY)).toBe("kept");
    expect(await slicesOf(image)).toHaveLength(1);
    expect(await fillClient(image.id).progress()).toMatchObject({ progress: { generation, slicesStored: 1 } });
  });

  it("keeps what somebody pulls, however long ago the last slice came", async () => {
    const image = await createImage({ size: MB });
    const { turn, store } = await pullByHand(image);
    await store(0);
    expect(await fillClient(image.id).clean(turn.generation, 0)).toBe("kept");
    expect(await slicesOf(image)).toHaveLength(1);
  });

  it("keeps what is committed", async () => {
    const edge = await smallEdge(100 * MB);
    const image = await storedImage(edge, MB);
    const generation = (await catalog.find(image.id))?.generation ?? "";
    expect(await fillClient(image.id).clean(generation, 0)).toBe("kept");
    expect(await catalog.find(image.id)).not.toBeNull();
  });

  it("does not touch another generation than the one it is about", async () => {
    const { image } = await abandoned();
    expect(await fillClient(image.id).clean(crypto.randomUUID(), 0)).toBe("unknown");
    expect(await slicesOf(image)).toHaveLength(1);
  });
});
