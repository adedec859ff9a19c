import { abortAllDurableObjects, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { fillClient, fillStub, resetFill } from "../../support/bindings.ts";
import {
  bytesOf,
  costOf,
  expectKept,
  expectOnce,
  goingOn,
  objectPut,
  RANDOM_ACCESS,
  rangesOf,
  SOON,
  slicesOf,
  startReaders,
  takeData,
} from "../../support/fills.ts";
import { keepLines } from "../../support/lines.ts";
import { expectImage, startReader } from "../../support/readers.ts";
import { bindings, createImage, setFaults, settled } from "../../support/scenario.ts";

const SIZE = 4_000_000;
keepLines();

describe("a Fill that is reset in the middle", () => {
  it.each([
    ["by ctx.abort", resetFill],
    ["with all others", () => abortAllDurableObjects()],
  ])("%s goes on from what is stored; all its readers get the image", async (_, end) => {
    const image = await createImage({ size: SIZE });
    // What runs does not get to its end before it is ended, however busy the machine is.
    await setFaults(image.id, { stallAt: SIZE * 0.75 });
    const readers = await startReaders(image, 4);
    await Promise.all(readers.map((reader) => reader.has(SIZE / 2)));
    await setFaults(image.id, {});
    await end(image.id);
    for (const reader of readers) await expectImage(reader, image);
    await settled();
    const data = await takeData(image);
    expect(rangesOf(data)).toEqual([null, ...goingOn(/^bytes=\d+-$/)]);
    const from = Number(/\d+/.exec(data[1]?.range ?? "")?.[0]);
    expect(from).toBeGreaterThanOrEqual(SIZE / 2 - 524_288);
    expect(bytesOf(data.slice(1))).toBe(RANDOM_ACCESS ? SIZE - from : SIZE);
    await expectKept(image);
  });

  it("where the origin ignores Range reads it from byte 0 and skips what is stored", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { stallAt: SIZE * 0.75, ignoreRange: true });
    const readers = await startReaders(image, 4);
    await Promise.all(readers.map((reader) => reader.has(SIZE / 2)));
    await setFaults(image.id, { ignoreRange: true });
    await resetFill(image.id);
    for (const reader of readers) await expectImage(reader, image);
    await settled();
    const data = await takeData(image);
    expect(data).toHaveLength(2);
    expect(data[1]?.bytes).toBe(SIZE);
    await expectKept(image);
  });

  it("time after time still ends with the image", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 3_000_000 });
    const readers = await startReaders(image, 2);
    for (const part of [0.2, 0.5, 0.8]) {
      await Promise.all(readers.map((reader) => reader.has(SIZE * part)));
      await resetFill(image.id);
    }
    for (const reader of readers) await expectImage(reader, image);
    await settled();
    // What was read and not stored is read again; without random access all that comes before the reset is.
    expect(bytesOf(await takeData(image))).toBeLessThan(SIZE * (RANDOM_ACCESS ? 2 : 3));
    await expectKept(image);
  });

  it("and whose readers are gone waits for the next download, which pulls the rest only", async () => {
    const image = await createImage({ size: SIZE });
    // What runs does not get to its end before it is ended, however busy the machine is.
    await setFaults(image.id, { stallAt: SIZE * 0.6 });
    const first = await startReader(image.id);
    await expect.poll(async () => (await slicesOf(image.id)).length, SOON).toBeGreaterThan(8);
    first.leave();
    await first.ended;
    await settled();
    await resetFill(image.id);
    const stored = (await slicesOf(image.id)).length;
    expect(stored).toBeGreaterThan(8);
    await takeData(image);
    await scheduler.wait(600);
    // The rights were in the old object's memory only.
    expect((await slicesOf(image.id)).length).toBeLessThanOrEqual(stored + 3);
    await setFaults(image.id, {});
    const next = await startReader(image.id);
    await expectImage(next, image);
    await settled();
    const data = await takeData(image);
    expect(rangesOf(data)).toEqual(goingOn(/^bytes=\d+-$/));
    expect(bytesOf(data)).toBeLessThanOrEqual(RANDOM_ACCESS ? SIZE * 0.6 : SIZE);
    await expectKept(image);
  });

  it("finds its stored slices changed: the attempt is dropped, and nobody gets a wrong byte", async () => {
    const image = await createImage({ size: SIZE });
    // What runs does not get to its end before it is ended, however busy the machine is.
    await setFaults(image.id, { stallAt: SIZE * 0.75 });
    const readers = await startReaders(image, 3);
    await Promise.all(readers.map((reader) => reader.has(SIZE / 2)));
    const { objects } = await bindings.BUCKET.list({ prefix: `fills/${image.id}/` });
    const key = objects.find((object) => object.key.endsWith("/3"))?.key ?? "";
    const bytes = new Uint8Array(await ((await bindings.BUCKET.get(key))?.arrayBuffer() ?? new ArrayBuffer(0)));
    bytes[5] = (bytes[5] ?? 0) ^ 1;
    await bindings.BUCKET.put(key, bytes);
    await setFaults(image.id, {});
    await resetFill(image.id);
    for (const reader of readers) expect(await reader.ended).toBe("cut");
    await settled();
    await takeData(image);
    const next = await startReader(image.id);
    await expectImage(next, image);
    await settled();
    await takeData(image);
  });
});

describe("a Fill that is reset when all is stored", () => {
  it("before the put begins keeps the image, without the origin and without anybody's rights", async () => {
    const image = await createImage({ size: SIZE });
    const [reader] = await startReaders(image, 1);
    await expect.poll(() => slicesOf(image.id), { timeout: 50_000, interval: 5 }).toHaveLength(15);
    await resetFill(image.id);
    if (reader !== undefined) await expectImage(reader, image);
    await expectOnce(image);
    await expectKept(image);
  });

  it("and kept leaves nothing behind but the object", async () => {
    const image = await createImage({ size: SIZE });
    const [reader] = await startReaders(image, 1);
    if (reader !== undefined) await expectImage(reader, image);
    await objectPut(image);
    await resetFill(image.id);
    await expectKept(image);
    await expectOnce(image);
  });
});

describe("a Fill whose alarm is lost", () => {
  it("while it lives sets another one as soon as anybody asks it", async () => {
    const image = await createImage({ size: SIZE });
    const [reader] = await startReaders(image, 1);
    if (reader !== undefined) await expectImage(reader, image);
    await objectPut(image);
    await runInDurableObject(fillStub(image.id), (_, { storage }) => storage.deleteAlarm());
    const left = async () => {
      await fillClient(image.id).progress();
      return slicesOf(image.id);
    };
    await expect.poll(left, SOON).toEqual([]);
    await expectOnce(image);
    await expectKept(image);
  });
});

describe("a Fill that is put away for idleness", () => {
  it("while it pulls goes on, and nobody notices", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 3_000_000 });
    const readers = await startReaders(image, 3);
    await Promise.all(readers.map((reader) => reader.has(SIZE / 3)));
    await evictDurableObject(fillStub(image.id));
    for (const reader of readers) await expectImage(reader, image);
    await settled();
    expect(bytesOf(await takeData(image))).toBeLessThanOrEqual(costOf(image, { missing: SIZE * 0.5 }));
    await expectKept(image);
  });
});
