import { describe, expect, it } from "vitest";
import {
  bytesOf,
  expectKept,
  expectNothingLeft,
  keysOf,
  RANDOM_ACCESS,
  rangesOf,
  remembered,
  SOON,
  startReaders,
  takeData,
} from "../../support/fills.ts";
import { keepLines } from "../../support/lines.ts";
import { expectImage, startReader } from "../../support/readers.ts";
import { atOrigin, calls, createImage, download, setFaults, settled } from "../../support/scenario.ts";
import { FAILED_MS } from "../../support/times.ts";

const SIZE = 2_000_000;
const CUT_AT = 0.6 * SIZE;
const lines = keepLines();

describe("an origin that answers 503 to the data", () => {
  it("once is asked once more by the Fill, not by each of 64 readers", async () => {
    const image = await createImage({ size: 500_000 });
    const env = await remembered(image);
    await setFaults(image.id, { status: 503, delayMs: 700 });
    const joining = startReaders(image, 64, { env });
    await expect.poll(async () => (await calls()).length, SOON).toBeGreaterThan(0);
    await expect.poll(async () => (await calls()).some(({ status }) => status === 503), SOON).toBe(true);
    await setFaults(image.id, {});
    for (const reader of await joining) await expectImage(reader, image);
    await settled();
    const data = await takeData(image);
    expect(data.map(({ status }) => status)).toEqual([503, 200]);
    expect(bytesOf(data.slice(1))).toBe(image.size);
    await expectKept(image);
  });

  it("for ever is passed on as it is to each of 12 readers, and to those who come a moment later", async () => {
    const image = await createImage({ size: SIZE });
    const env = await remembered(image);
    await setFaults(image.id, { status: 503, extraHeaders: { "retry-after": "7" } });
    const own = await atOrigin(`/v2/images/${image.id}/file`);
    expect(own.status).toBe(503);
    const body = await own.text();
    const answers = await Promise.all(Array.from({ length: 12 }, () => download(image.id, { env })));
    const late = await download(image.id, { env });
    for (const answer of [...answers, late]) {
      expect(answer.status).toBe(503);
      expect(await answer.text()).toBe(body);
      expect(answer.headers.get("content-type")).toBe(own.headers.get("content-type"));
      expect(answer.headers.get("cache-status")).toBe("glance-edge; fwd=uri-miss; detail=fill-failed");
    }
    await settled();
    // By the Fill, in a few tries.
    expect((await takeData(image)).length).toBeLessThanOrEqual(8);
    await expectNothingLeft(image);

    await setFaults(image.id, {});
    await scheduler.wait(FAILED_MS);
    const next = await startReader(image.id, { env });
    await expectImage(next, image);
    await settled();
    await takeData(image);
    await expectKept(image);
  });

  it("in the middle, when the connection broke, is asked again", async () => {
    const image = await createImage({ size: SIZE });
    // It gets to the cut only when the next answer is 503 already.
    await setFaults(image.id, { rate: 500_000, cutAt: CUT_AT });
    const readers = await startReaders(image, 3);
    await Promise.all(readers.map((reader) => reader.has(200_000)));
    await setFaults(image.id, { status: 503, rate: 4_000_000 });
    await expect.poll(async () => (await calls()).some(({ status }) => status === 503), SOON).toBe(true);
    await setFaults(image.id, {});
    for (const reader of readers) await expectImage(reader, image);
    await settled();
    expect(bytesOf((await takeData(image)).filter(({ status }) => status < 300))).toBeLessThan(SIZE * 1.7);
    await expectKept(image);
  });
});

describe("an origin that refuses the data with 403", () => {
  it("refuses each of those who asked by itself, with its own answer, as 403 and not as a cut 200", async () => {
    const image = await createImage({ size: SIZE });
    const env = await remembered(image);
    await setFaults(image.id, { status: 403, delayMs: 300 });
    const answers = await Promise.all([1, 2, 3].map(() => download(image.id, { env })));
    for (const answer of answers) {
      expect(answer.status).toBe(403);
      expect(answer.headers.get("cache-status")).toBe("glance-edge; fwd=bypass; detail=right-refused");
      await answer.arrayBuffer();
    }
    await settled();
    // Each right is tried by the Fill, and then by its bearer.
    expect(await takeData(image)).toHaveLength(6);
    await setFaults(image.id, {});
  });
});

describe("an origin that cuts the connection at 60 percent", () => {
  it.each([1, 2])("%i times is asked for the rest, by the Fill alone", async (cutTimes) => {
    const image = await createImage({ size: SIZE });
    // The first cut comes when what came before it is stored.
    await setFaults(image.id, { rate: 400_000, cutAt: CUT_AT, cutTimes: 1 });
    const readers = await startReaders(image, 12);
    await Promise.all(readers.map((reader) => reader.has(1_048_576)));
    await setFaults(image.id, { rate: 4_000_000, cutAt: CUT_AT, cutTimes: cutTimes - 1 });
    for (const reader of readers) await expectImage(reader, image);
    await settled();
    const data = await takeData(image);
    // Without random access each life of the pull asks for a range once, and reads again what came before the cut.
    const given = data.filter(({ status }) => status < 300);
    expect(given.length).toBeLessThanOrEqual(1 + cutTimes);
    expect(bytesOf(data)).toBeLessThanOrEqual(RANDOM_ACCESS ? SIZE * 1.3 : SIZE + cutTimes * CUT_AT);
    await expectKept(image);
  });

  it("once and ignores Range is read from byte 0 and skipped forward", async () => {
    const image = await createImage({ size: SIZE });
    const env = await remembered(image);
    await setFaults(image.id, { rate: 4_000_000, cutAt: CUT_AT, cutTimes: 1, ignoreRange: true });
    const readers = await startReaders(image, 12, { env });
    for (const reader of readers) await expectImage(reader, image);
    await settled();
    const data = await takeData(image);
    expect(data).toHaveLength(2);
    expect(bytesOf(data)).toBeLessThanOrEqual(CUT_AT + SIZE);
    await expectKept(image);
  });

  it("for ever cuts all of them; what is stored serves the next download", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 4_000_000, cutAt: CUT_AT });
    const readers = await startReaders(image, 3);
    for (const reader of readers) {
      expect(await reader.ended).toBe("cut");
      expect(reader.received).toBeLessThanOrEqual(CUT_AT);
    }
    await settled();
    await takeData(image);
    expect((await keysOf(image.id)).filter((key) => key.startsWith("images/"))).toEqual([]);
    expect(lines("fill.kept")).toEqual([]);
    await setFaults(image.id, {});
    await scheduler.wait(FAILED_MS);
    const next = await startReader(image.id);
    await expectImage(next, image);
    await settled();
    // Where each try reads from byte 0 the images that it may cost are spent, and what was stored is dropped with the attempt.
    expect(rangesOf(await takeData(image))).toEqual(RANDOM_ACCESS ? ["bytes=1048576-"] : [null]);
    await expectKept(image);
  });

  it("for ever and ignores Range ends in a failure after at most three images, not in a loop", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 8_000_000, cutAt: CUT_AT, ignoreRange: true });
    const readers = await startReaders(image, 3);
    for (const reader of readers) expect(await reader.ended).toBe("cut");
    await settled();
    // What an origin has sent beside that, nobody has read.
    expect(bytesOf(await takeData(image))).toBeLessThanOrEqual(3.6 * SIZE);
    await expectNothingLeft(image);
  });

  it("at one place after the other goes on each time", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 2_000_000, cutAt: 300_000, cutTimes: 1 });
    const reader = await startReader(image.id);
    await reader.has(400_000);
    await setFaults(image.id, { cutAt: 1_700_000, cutTimes: 2 });
    await expectImage(reader, image);
    await settled();
    await takeData(image);
    await expectKept(image);
  });
});
