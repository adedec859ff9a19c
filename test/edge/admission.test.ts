import { describe, expect, it } from "vitest";
import { fillStub } from "../support/bindings.ts";
import { expectNotStored, file, generations, slicesOf, smallEdge, storedIds, storedImage } from "../support/cap.ts";
import { pullByHand } from "../support/hand-puller.ts";
import { expectImage, startReader } from "../support/readers.ts";
import { asks, committed, createImage, expectCalls, goesOn, setFaults, settled } from "../support/scenario.ts";

const MB = 1_000_000;
const SOON = { timeout: 5_000 };

describe("a fill that fits", () => {
  it("has all its room while it runs, and none but its blob's when it is done", async () => {
    const edge = await smallEdge(MB);
    const image = await createImage({ size: MB });
    await setFaults(image.id, { rate: MB });
    const reader = await startReader(image.id, { env: edge.env });
    await reader.has(100_000);
    expect(await generations.room()).toEqual({ committed: 0, filling: MB, removing: 0 });
    await expectImage(reader, image);
    await settled();
    await committed(image.id);
    expect(await generations.room()).toEqual({ committed: MB, filling: 0, removing: 0 });
    expect(edge.bytes()).toBe(MB);
    await expectCalls(...asks(image.id), file(image), goesOn(image.id));
  });
});

describe("a fill that needs room", () => {
  it("takes that of the least recently used image, never read ones included, before it stores a slice", async () => {
    const edge = await smallEdge(3 * MB);
    // Committed first and read since; never read; never read, and committed last.
    const read = await storedImage(edge, MB, 3);
    const neverRead = await storedImage(edge, MB, 1);
    const newest = await storedImage(edge, MB, 2);
    const old = await slicesOf(neverRead);
    const before = edge.log.length;
    const image = await storedImage(edge, MB);
    expect(await storedIds()).toEqual(new Set([read.id, newest.id, image.id]));
    expect(await slicesOf(neverRead)).toEqual([]);
    const since = edge.log.slice(before);
    expect(since.slice(0, old.length)).toEqual(old.map((key) => ({ what: "delete", key })));
    expect(new Set(since.slice(old.length).map(({ what }) => what))).toEqual(new Set(["put"]));
    expect(edge.peak()).toBeLessThanOrEqual(3 * MB);
  });

  it("takes as many images' as it takes, and no more", async () => {
    const edge = await smallEdge(3 * MB);
    const [, , , kept] = [
      await storedImage(edge, 0.5 * MB, 1),
      await storedImage(edge, 0.5 * MB, 2),
      await storedImage(edge, 0.5 * MB, 3),
      await storedImage(edge, 0.5 * MB, 4),
    ];
    const image = await storedImage(edge, 2.2 * MB);
    expect(await storedIds()).toEqual(new Set([kept?.id, image.id]));
  });

  it("never takes more than there is, however many run at once", async () => {
    const edge = await smallEdge(4 * MB);
    for (let age = 1; age <= 4; age++) await storedImage(edge, MB, age);
    const images = await Promise.all(Array.from({ length: 6 }, () => createImage({ size: MB })));
    await Promise.all(images.map((image) => setFaults(image.id, { rate: MB })));
    const readers = await Promise.all(images.map((image) => startReader(image.id, { env: edge.env })));
    const stored = images.filter((_, index) => readers[index]?.cacheStatus === "glance-edge; fwd=uri-miss; stored");
    const outcomes = readers.map((reader) => reader.cacheStatus).sort();
    expect(outcomes.slice(0, 2)).toEqual(Array(2).fill("glance-edge; fwd=uri-miss; detail=no-room"));
    expect(stored).toHaveLength(4);
    for (const [index, reader] of readers.entries()) {
      const image = images[index];
      if (image !== undefined) await expectImage(reader, image);
    }
    await settled();
    await Promise.all(stored.map((image) => committed(image.id)));
    expect(await storedIds()).toEqual(new Set(stored.map((image) => image.id)));
    expect(edge.peak()).toBeLessThanOrEqual(4 * MB);
    expect(edge.bytes()).toBe(4 * MB);
    const some = images.flatMap((image) => [...asks(image.id), file(image), goesOn(image.id)]);
    await expectCalls(...some);
  });

  it("does not take that of an image which is being downloaded, however old it is", async () => {
    const edge = await smallEdge(2 * MB);
    const slow = await storedImage(edge, MB, 1);
    const other = await storedImage(edge, MB, Date.now() + 3_600_000);
    const reader = await startReader(slow.id, { env: edge.env, pauseAt: 1 });
    expect(reader.cacheStatus).toBe("glance-edge; hit");
    await reader.has(1);
    const inUse = async () => (await generations.candidates(9)).filter(({ inUseUntil }) => inUseUntil > Date.now());
    await expect.poll(inUse, SOON).toHaveLength(1);
    await expectCalls(...asks(slow.id));
    const image = await storedImage(edge, MB);
    expect(await storedIds()).toEqual(new Set([slow.id, image.id]));
    expect(await slicesOf(other)).toEqual([]);
    reader.resume();
    await expectImage(reader, slow);
    await settled();
  });
});

describe("a fill for which there is no room", () => {
  it("because the image is larger than the cap is none, and nothing goes for it", async () => {
    const edge = await smallEdge(MB);
    const stored = await storedImage(edge, 0.5 * MB);
    await expectNotStored(edge, await createImage({ size: MB + 1 }), "no-room");
    expect(await storedIds()).toEqual(new Set([stored.id]));
  });

  it("because the image is larger than its Fill's cap, of a newer deployment, is none either", async () => {
    const edge = await smallEdge(MB);
    await expectNotStored({ ...edge, env: {} }, await createImage({ size: MB + 1 }), "no-room");
    expect(await generations.room()).toEqual({ committed: 0, filling: 0, removing: 0 });
  });

  it("because all that is stored is in use is none, and nothing goes for it", async () => {
    const edge = await smallEdge(2 * MB);
    const idle = await storedImage(edge, 0.5 * MB);
    const used = await createImage({ size: 1.5 * MB });
    // Just committed: those who shared its fill may still be reading.
    const reader = await startReader(used.id, { env: edge.env });
    await expectImage(reader, used);
    await settled();
    await committed(used.id);
    await expectCalls(...asks(used.id), file(used), goesOn(used.id));
    await expectNotStored(edge, await createImage({ size: MB }), "no-room");
    expect(await storedIds()).toEqual(new Set([idle.id, used.id]));
  });

  it("because other fills hold it is none, until they end", async () => {
    const edge = await smallEdge(2 * MB);
    const idle = await storedImage(edge, 0.5 * MB);
    const holder = await createImage({ size: 1.5 * MB });
    await pullByHand(holder);
    await expectNotStored(edge, await createImage({ size: MB }), "no-room");
    expect(await storedIds()).toEqual(new Set([idle.id]));
    await fillStub(holder.id).stop();
    await storedImage(edge, MB);
    expect(edge.peak()).toBeLessThanOrEqual(2 * MB);
  });

  it("is none for those who come meanwhile either", async () => {
    const edge = await smallEdge(MB);
    const holder = await createImage({ size: MB });
    await pullByHand(holder);
    const image = await createImage({ size: MB });
    await expectNotStored(edge, image, "no-room");
    await expectNotStored(edge, image, "no-room");
  });

  it("with a cap of 0 is every one", async () => {
    const edge = await smallEdge(0);
    await expectNotStored(edge, await createImage({ size: MB }), "no-room");
    await expectNotStored({ ...edge, env: {} }, await createImage({ size: 1 }), "no-room");
    expect(edge.log).toEqual([]);
  });
});
