import { beforeAll, describe, expect, it } from "vitest";
import { fillEnv } from "../../support/fill-env.ts";
import {
  bytesOf,
  expectKept,
  expectOnce,
  goingOn,
  RANDOM_ACCESS,
  rangesOf,
  startReaders,
  takeData,
} from "../../support/fills.ts";
import { keepLines } from "../../support/lines.ts";
import { expectImage, startReader } from "../../support/readers.ts";
import { createImage, setFaults, settled } from "../../support/scenario.ts";
import { FAILED_MS } from "../../support/times.ts";

const SIZE = 2_000_000;
const lines = keepLines();

describe("an origin that is slow to its first byte", () => {
  it.each([1, 12])("is asked once by %i clients, who all wait for it", async (count) => {
    const image = await createImage({ size: SIZE });
    // Far behind STALL_SECONDS, which is about the data.
    await setFaults(image.id, { delayMs: 2_500 });
    const begun = Date.now();
    const readers = await startReaders(image, count);
    // The answer's headers leave with the first bytes.
    expect(Date.now() - begun).toBeGreaterThan(2_000);
    for (const reader of readers) await expectImage(reader, image);
    await expectOnce(image);
    await expectKept(image);
    expect(lines("download.cut")).toEqual([]);
  });

  it("and whose clients leave before it, is let finish all the same", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { delayMs: 1_000 });
    const abort = new AbortController();
    const leaving = startReader(image.id, { signal: abort.signal } as object);
    await scheduler.wait(300);
    abort.abort();
    void leaving.then((reader) => reader.leave());
    await expectKept(image);
    await leaving;
    await expectOnce(image);
  });
});

describe("an origin that stalls in the middle", () => {
  beforeAll(() => {
    fillEnv.changes = { STALL_SECONDS: "2" };
  });

  it("is asked again at that byte after STALL_SECONDS, and all have what came before meanwhile", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { stallAt: 1_200_000 });
    const readers = await startReaders(image, 12);
    // All that is stored reaches each of them while nothing comes.
    for (const reader of readers) await reader.has(1_048_576);
    expect(readers.every((reader) => reader.received < 1_200_000)).toBe(true);
    await setFaults(image.id, {});
    for (const reader of readers) await expectImage(reader, image);
    await settled();
    const data = await takeData(image);
    expect(rangesOf(data)[0]).toBeNull();
    expect(rangesOf(data).slice(1)).toEqual(goingOn(/^bytes=1\d{6}-$/));
    expect(bytesOf(data)).toBeLessThanOrEqual(RANDOM_ACCESS ? SIZE * 1.2 : 1_200_000 + SIZE);
    await expectKept(image);
  });

  it("without Range support is read from its first byte again, once for all", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { stallAt: 1_200_000, ignoreRange: true });
    const readers = await startReaders(image, 4);
    for (const reader of readers) await reader.has(1_048_576);
    await setFaults(image.id, { ignoreRange: true });
    for (const reader of readers) await expectImage(reader, image);
    await settled();
    const data = await takeData(image);
    expect(data).toHaveLength(2);
    expect(bytesOf(data)).toBeLessThanOrEqual(1_200_000 + SIZE);
    await expectKept(image);
  });

  it("for ever ends in a cut for all of them, after a few tries, and the next download goes on from there", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { stallAt: 1_200_000 });
    const readers = await startReaders(image, 3);
    for (const reader of readers) expect(await reader.ended).toBe("cut");
    await settled();
    const tried = (await takeData(image)).filter(({ status }) => status < 300);
    expect(tried.length).toBeLessThanOrEqual(9);
    expect(bytesOf(tried)).toBeLessThanOrEqual(3.6 * SIZE);
    expect(lines("fill.broken").length).toBeLessThanOrEqual(4);

    await setFaults(image.id, {});
    await scheduler.wait(FAILED_MS);
    const next = await startReader(image.id);
    await expectImage(next, image);
    await settled();
    const data = await takeData(image);
    // Where each try reads from byte 0 the images that it may cost are spent, and what was stored is dropped with the attempt.
    expect(rangesOf(data)).toEqual(RANDOM_ACCESS ? ["bytes=1048576-"] : [null]);
    await expectKept(image);
  });
});
