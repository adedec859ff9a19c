/** A fill from a store that can't read from the middle, which is broken off: it is read from byte 0 again. */
import { describe, expect, it } from "vitest";
import { resetFill } from "../../support/bindings.ts";
import { bytesOf, expectKept, expectNothingLeft, SOON, slicesOf, startReaders, takeData } from "../../support/fills.ts";
import { keepLines } from "../../support/lines.ts";
import { imageThere, SIZE, setThere } from "../../support/no-random-access.ts";
import { expectImage, startReader } from "../../support/readers.ts";
import { calls, download, settled, trueBytes } from "../../support/scenario.ts";
import { FAILED_MS } from "../../support/times.ts";

const CUT_AT = 1_300_000;
const lines = keepLines();

/** The statuses and bytes of calls for data: a range is refused, and the whole is read behind it. */
const given = (data: Awaited<ReturnType<typeof takeData>>) => data.map(({ range, status }) => [range, status]);

describe("a fill from a store without random access that is reset half way", () => {
  it("is read from byte 0 again and skips what is stored; its readers, parts too, get the image", async () => {
    // What runs does not get to its end before it is reset, however busy the machine is.
    const image = await imageThere({ stallAt: SIZE * 0.9 });
    const readers = await startReaders(image, 4);
    await Promise.all(readers.map((reader) => reader.has(SIZE / 2)));
    const part = download(image.id, { headers: { range: `bytes=${SIZE / 2}-` } });
    await setThere(image);
    await resetFill(image.id);
    for (const reader of readers) await expectImage(reader, image);
    expect(new Uint8Array(await (await part).arrayBuffer())).toEqual((await trueBytes(image.id)).slice(SIZE / 2));
    await settled();
    const data = await takeData(image);
    expect(given(data)).toEqual([
      [null, 200],
      [expect.stringMatching(/^bytes=[1-9]\d+-$/), 400],
      [null, 200],
    ]);
    expect(bytesOf(data)).toBeLessThanOrEqual(2 * SIZE);
    await expectKept(image);
  });

  it("and whose readers are gone is gone on with by the next download, from byte 0 and of the same attempt", async () => {
    const image = await imageThere({ stallAt: SIZE * 0.9 });
    const first = await startReader(image.id);
    await expect.poll(async () => (await slicesOf(image.id)).length, SOON).toBeGreaterThan(4);
    first.leave();
    await first.ended;
    await settled();
    await resetFill(image.id);
    await takeData(image);
    await setThere(image);
    await expectImage(await startReader(image.id), image);
    await settled();
    const data = await takeData(image);
    expect(given(data)).toEqual([
      [expect.stringMatching(/^bytes=[1-9]\d+-$/), 400],
      [null, 200],
    ]);
    await expectKept(image);
  });
});

describe("a connection to a store without random access", () => {
  it.each([1, 3])("that is cut half way %i times costs what came before each cut once more", async (cutTimes) => {
    const image = await imageThere({ cutAt: CUT_AT, cutTimes });
    await expectImage(await startReader(image.id), image);
    await settled();
    const data = await takeData(image);
    // A range is asked for once in a pull, which opens the origin twice: from then on it is known that there are none.
    expect(given(data.filter(({ status }) => status === 200))).toEqual(Array(cutTimes + 1).fill([null, 200]));
    expect(bytesOf(data)).toBe(SIZE + cutTimes * CUT_AT);
    expect(data.filter(({ status }) => status === 400).length).toBeLessThanOrEqual(2);
    await expectKept(image);
  });

  it("that is cut at the same byte each time ends in a failure, and not in a loop", async () => {
    const image = await imageThere({ rate: 12_000_000, cutAt: 0.6 * SIZE });
    const readers = await startReaders(image, 3);
    for (const reader of readers) expect(await reader.ended).toBe("cut");
    await settled();
    expect(bytesOf(await takeData(image))).toBeLessThanOrEqual(3.6 * SIZE);
    await scheduler.wait(2 * FAILED_MS);
    expect(await calls()).toEqual([]);
    await expectNothingLeft(image);
  });

  it("that is cut a little further each time, as every few seconds, ends in a failure, and not in a loop", async () => {
    // The first piece is stored with the first MiB.
    const size = 5_000_000;
    const image = await imageThere({ cutAt: 0.3 * size, cutStep: 0.05 * size }, size);
    expect(await (await startReader(image.id)).ended).toBe("cut");
    await settled();
    // Once it has taken three times the image, it is opened no more; of what a cut loses on its way the edge knows nothing.
    expect(bytesOf(await takeData(image))).toBeLessThanOrEqual(4.1 * size);
    expect(lines("fill.kept")).toEqual([]);
    await scheduler.wait(2 * FAILED_MS);
    expect(await calls()).toEqual([]);
  });

  it("that was cut near the beginning, until the fill gave up, is whole for the next download when it is mended", async () => {
    const size = 5_000_000;
    const image = await imageThere({ rate: 8_000_000, cutAt: 1_600_000 }, size);
    expect(await (await startReader(image.id)).ended).toBe("cut");
    await settled();
    // What those tries have cost is no reason against this one, which needs the image from byte 0.
    expect(bytesOf(await takeData(image))).toBeGreaterThan(2 * size);
    expect((await slicesOf(image.id)).length).toBeGreaterThan(0);
    await setThere(image);
    await scheduler.wait(FAILED_MS);
    await expectImage(await startReader(image.id), image);
    await settled();
    expect(bytesOf(await takeData(image))).toBe(size);
    await expectKept(image);
  });

  it("whose data is wrong leaves no wrong image whole, also not by a resume", async () => {
    const image = await imageThere({ corruptAt: 5 });
    expect(await (await startReader(image.id)).ended).toBe("cut");
    await expect.poll(() => lines("fill.failed").length + lines("fill.mismatch").length, SOON).toBeGreaterThan(0);
    const rest = await download(image.id, { headers: { range: "bytes=1000000-" } });
    expect(rest.status).toBe(502);
    await settled();
    expect(bytesOf(await takeData(image))).toBe(SIZE);
  });
});
