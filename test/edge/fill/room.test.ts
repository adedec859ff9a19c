import { afterEach, describe, expect, it } from "vitest";
import { catalog, expectNotStored, room, smallEdge, storedIds, storedImage } from "../../support/cap.ts";
import { CALM, fillEnv } from "../../support/fill-env.ts";
import { expectKept, expectNothingLeft, keysOf, SOON, startReaders, takeData } from "../../support/fills.ts";
import { keepLines } from "../../support/lines.ts";
import { expectImage, startReader } from "../../support/readers.ts";
import { bindings, createImage, setFaults, settled } from "../../support/scenario.ts";

const MB = 1_000_000;
keepLines();

afterEach(() => {
  fillEnv.changes = CALM;
});

describe("a fill that fits", () => {
  it("has room for slices and object while it runs, and none but its object's when it is done", async () => {
    const edge = await smallEdge(2 * MB);
    const image = await createImage({ size: MB });
    await setFaults(image.id, { rate: MB / 4 });
    const reader = await startReader(image.id, { env: edge.env });
    await reader.has(60_000);
    expect(await room.sums()).toEqual({ kept: 0, filling: 2 * MB });
    await expectImage(reader, image);
    await expectKept(image);
    expect(await room.sums()).toEqual({ kept: MB, filling: 0 });
    expect(edge.peak()).toBeLessThanOrEqual(2 * MB);
    expect(edge.bytes()).toBe(MB);
    await takeData(image);
  });
});

describe("a fill that needs room", () => {
  it("takes that of the least recently used images before it stores a slice, and no more than it needs", async () => {
    const edge = await smallEdge(4 * MB);
    const read = await storedImage(edge, MB, 3);
    const never = await storedImage(edge, MB, 1);
    const newest = await storedImage(edge, MB, 2);
    const before = edge.log.length;
    const image = await storedImage(edge, MB, 4);
    expect(await storedIds()).toEqual(new Set([read.id, newest.id, image.id]));
    expect(edge.log[before]).toEqual({ what: "delete", key: `images/${never.id}` });
    expect(edge.peak()).toBeLessThanOrEqual(4 * MB);
  });

  it("does not take that of an image which is being downloaded, however old it is", async () => {
    const edge = await smallEdge(4 * MB);
    const slow = await storedImage(edge, MB, 1);
    const other = await storedImage(edge, 1.5 * MB, Date.now() + 3_600_000);
    const reader = await startReader(slow.id, { env: edge.env, pauseAt: 1 });
    expect(reader.cacheStatus).toBe("glance-edge; hit");
    await reader.has(1);
    const inUse = async () => (await catalog.candidates(9)).filter(({ inUseUntil }) => inUseUntil > Date.now());
    await expect.poll(inUse, SOON).toHaveLength(1);
    await takeData(slow);
    const image = await storedImage(edge, MB);
    expect(await storedIds()).toEqual(new Set([slow.id, image.id]));
    expect(await keysOf(other.id)).toEqual([]);
    reader.resume();
    await expectImage(reader, slow);
    await settled();
  });

  it("has that of the stale copy of its own image", async () => {
    const edge = await smallEdge(2 * MB);
    const image = await storedImage(edge, MB);
    // As if the image had been made again under its id, with other data.
    const key = `images/${image.id}`;
    const there = await bindings.BUCKET.head(key);
    await bindings.BUCKET.put(key, new Uint8Array(MB), { customMetadata: there?.customMetadata ?? {} });
    const readers = await startReaders(image, 3, { env: edge.env });
    for (const reader of readers) await expectImage(reader, image);
    await expectKept(image);
    expect(await room.sums()).toEqual({ kept: MB, filling: 0 });
    await takeData(image);
  });
});

describe("a fill for which there is no room", () => {
  it("because the image is larger than half the cap is none, and nothing goes for it", async () => {
    const edge = await smallEdge(MB);
    const stored = await storedImage(edge, 0.4 * MB);
    await expectNotStored(edge, await createImage({ size: 0.5 * MB + 1 }));
    expect(await storedIds()).toEqual(new Set([stored.id]));
  });

  it("because the image is larger than its Fill's half, of a newer deployment, is none either", async () => {
    const edge = await smallEdge(MB);
    const image = await createImage({ size: MB });
    await expectNotStored({ ...edge, env: {} }, image);
    expect(await room.sums()).toEqual({ kept: 0, filling: 0 });
    await expectNothingLeft(image);
  });

  it("because all that is kept is in use is none, and nothing goes for it", async () => {
    const edge = await smallEdge(2 * MB);
    const idle = await storedImage(edge, 0.3 * MB);
    const used = await createImage({ size: 0.8 * MB });
    const reader = await startReader(used.id, { env: edge.env });
    await expectImage(reader, used);
    await expectKept(used);
    await takeData(used);
    await expectNotStored(edge, await createImage({ size: 0.8 * MB }));
    expect(await storedIds()).toEqual(new Set([idle.id, used.id]));
  });

  it("with a cap of 0 is every one", async () => {
    const edge = await smallEdge(0);
    await expectNotStored(edge, await createImage({ size: MB }));
    await expectNotStored({ ...edge, env: {} }, await createImage({ size: 1 }));
    expect(edge.log.filter(({ what }) => what === "put")).toEqual([]);
  });
});

describe("the room of a fill", () => {
  it("is given back when its data was wrong", async () => {
    const edge = await smallEdge(4 * MB);
    const image = await createImage({ size: MB });
    await setFaults(image.id, { corruptAt: 10 });
    const reader = await startReader(image.id, { env: edge.env });
    expect(await reader.ended).toBe("cut");
    await settled();
    await expectNothingLeft(image);
    expect(edge.bytes()).toBe(0);
    await takeData(image);
  });

  it("that is said no to after its readers have bytes does not take them away; the image is not kept", async () => {
    const asked = Promise.withResolvers<void>();
    const slow = new Proxy(bindings.CATALOG, {
      get(target, name) {
        if (name === "batch")
          return (statements: D1PreparedStatement[]) => asked.promise.then(() => target.batch(statements));
        const value: unknown = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const edge = await smallEdge(4 * MB, { CATALOG: slow, CACHE_MAX_BYTES: "0" });
    const image = await createImage({ size: MB });
    await setFaults(image.id, { rate: 500_000 });
    const readers = await startReaders(image, 2, { env: edge.env });
    await Promise.all(readers.map((reader) => reader.has(100_000)));
    asked.resolve();
    for (const reader of readers) await expectImage(reader, image);
    await settled();
    await expectNothingLeft(image);
    expect(edge.log.filter(({ what, key }) => what === "put" && key.startsWith("images/"))).toEqual([]);
    await takeData(image);
  });
});
