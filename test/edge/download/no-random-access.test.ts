/**
 * In front of a store that can't read from the middle (Ceph RBD, S3, Swift, VMware, HTTP), where Glance answers 400 to every
 * range that it accepts: what a download is and costs there. Said of each image here, so that this holds in front of any origin.
 */

import { describe, expect, it } from "vitest";
import { fillClient, resetFill } from "../../support/bindings.ts";
import {
  bytesOf,
  expectKept,
  expectNothingLeft,
  objectPut,
  rangesOf,
  SOON,
  slicesOf,
  startReaders,
  takeData,
} from "../../support/fills.ts";
import { keepLines } from "../../support/lines.ts";
import { expectImage, startReader } from "../../support/readers.ts";
import {
  ask,
  asks,
  atOrigin,
  calls,
  createImage,
  download,
  expectCalls,
  type Image,
  NO_RANDOM_ACCESS,
  setFaults,
  settled,
  sha512,
  takeCalls,
  trueBytes,
} from "../../support/scenario.ts";
import { FAILED_MS, RANGE_AHEAD_BYTES } from "../../support/times.ts";

const SIZE = 3_000_000;
const CUT_AT = 1_300_000;
const MISS = "glance-edge; fwd=uri-miss; stored";
const file = (id: string) => `GET /v2/images/${id}/file`;
const lines = keepLines();

async function imageThere(faults: Readonly<Record<string, unknown>> = {}, size = SIZE): Promise<Image> {
  const image = await createImage({ size });
  await setThere(image, faults);
  return image;
}

const setThere = (image: Image, faults: Readonly<Record<string, unknown>> = {}) =>
  setFaults(image.id, { ...NO_RANDOM_ACCESS, ...faults });

/** Downloads the image, which costs the origin the image once, and waits until it is kept. */
async function cache(image: Image): Promise<void> {
  const miss = await startReader(image.id);
  expect(miss.cacheStatus).toBe(MISS);
  await expectImage(miss, image);
  await settled();
  await objectPut(image);
  await expectCalls(...asks(image.id), file(image.id));
}

/** The statuses and bytes of calls for data: a range is refused, and the whole is read behind it. */
const given = (data: Awaited<ReturnType<typeof takeData>>) => data.map(({ range, status }) => [range, status]);

describe("an image in a store without random access", () => {
  it("is kept by its first download; the second one is a hit, and neither's right costs a byte", async () => {
    const image = await imageThere();
    await cache(image);
    const hit = await download(image.id);
    expect(hit.headers.get("cache-status")).toBe("glance-edge; hit");
    expect(await sha512(await hit.arrayBuffer())).toBe(image.os_hash_value);
    const seen = await expectCalls(...asks(image.id));
    expect(seen.map(({ status }) => status).sort()).toEqual([200, 416]);
  });

  it("costs the origin one image in a storm", async () => {
    const image = await imageThere({ rate: 2_000_000 });
    const readers = await startReaders(image, 12);
    for (const reader of readers) await expectImage(reader, image);
    await settled();
    const data = await takeData(image);
    expect([rangesOf(data), bytesOf(data)]).toEqual([[null], SIZE]);
    await expectKept(image);
  });

  it("gives ranges once it is kept", async () => {
    const image = await imageThere();
    await cache(image);
    const bytes = await trueBytes(image.id);
    for (const range of ["bytes=0-0", "bytes=100000-", "bytes=524280-1048600", "bytes=-9"]) {
      const part = await download(image.id, { headers: { range } });
      expect([part.status, part.headers.get("cache-status")]).toEqual([206, "glance-edge; hit"]);
      const [, from = "", to = ""] = /^bytes (\d+)-(\d+)\//.exec(part.headers.get("content-range") ?? "") ?? [];
      expect(new Uint8Array(await part.arrayBuffer())).toEqual(bytes.subarray(Number(from), Number(to) + 1));
      await expectCalls(...asks(image.id));
    }
  });

  it.each(["bytes=5-9", "bytes=1000000-"])("gives the range %s from the fill that it begins", async (range) => {
    const image = await imageThere();
    const part = await download(image.id, { headers: { range } });
    expect([part.status, part.headers.get("cache-status")]).toEqual([206, MISS]);
    const [from = 0, to = SIZE] =
      /(\d+)-(\d*)/
        .exec(range)
        ?.slice(1)
        .map((text) => (text === "" ? SIZE - 1 : Number(text))) ?? [];
    expect(new Uint8Array(await part.arrayBuffer())).toEqual((await trueBytes(image.id)).slice(from, to + 1));
    await settled();
    expect(rangesOf(await takeData(image))).toEqual([null]);
    await expectKept(image);
  });

  it("is refused by the origin's own answers to whoever may not have it, and for what is no range", async () => {
    const image = await imageThere();
    await cache(image);
    for (const [headers, token] of [
      [{}, "none"],
      [{}, null],
      [{ range: `bytes=${SIZE}-` }, "demo"],
      [{ range: "bytes=5-4" }, "demo"],
    ] as const) {
      const mine = await download(image.id, { headers: { accept: "application/json", ...headers }, token });
      const theirs = await atOrigin(`/v2/images/${image.id}/file`, {
        headers: { accept: "application/json", ...headers },
        token,
      });
      expect([mine.status, await mine.text()]).toEqual([theirs.status, await theirs.text()]);
      expect(mine.status).toBeGreaterThanOrEqual(400);
    }
    await settled();
    expect((await takeCalls()).every(({ status, bytes }) => status >= 400 || bytes < 10_000)).toBe(true);
  });
});

describe("a range far ahead of what is stored", () => {
  it("waits for the fill, open or closed, and ends right", { timeout: 90_000 }, async () => {
    const size = RANGE_AHEAD_BYTES + 3_000_000;
    const from = RANGE_AHEAD_BYTES + 1_000_000;
    const image = await imageThere({}, size);
    const ranges = [`bytes=${from}-`, `bytes=${from}-${from + 99}`] as const;
    const answers = await Promise.all(ranges.map((range) => download(image.id, { headers: { range } })));
    expect(answers.map(({ status }) => status)).toEqual([206, 206]);
    expect(answers.map(({ headers }) => headers.get("content-range"))).toEqual([
      `bytes ${from}-${size - 1}/${size}`,
      `bytes ${from}-${from + 99}/${size}`,
    ]);
    const [rest, some] = await Promise.all(answers.map((answer) => answer.arrayBuffer()));
    const bytes = (await trueBytes(image.id)).slice(from);
    expect(new Uint8Array(some ?? new ArrayBuffer(0))).toEqual(bytes.slice(0, 100));
    expect(await sha512(rest ?? new ArrayBuffer(0))).toBe(await sha512(bytes));
    await settled();
    const data = await takeData(image);
    expect(bytesOf(data)).toBe(size);
    // Each asked the origin for itself first, which refused.
    expect(rangesOf(data.filter(({ status }) => status === 400)).sort()).toEqual([...ranges].sort());
    await fillClient(image.id).remove("always");
  });
});

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

describe("a query", () => {
  it("goes along with the question for the right and with the data, not with that for the record", async () => {
    const image = await createImage({ size: SIZE });
    const query = "?prefer=ceph%2Cfile";
    const miss = await ask(`/v2/images/${image.id}/file${query}`);
    expect(await sha512(await miss.arrayBuffer())).toBe(image.os_hash_value);
    await settled();
    await objectPut(image);
    await expectCalls(...asks(image.id, query), `${file(image.id)}${query}`);
  });

  it("is another question of rights: what was remembered without it is asked again with it", async () => {
    const env = { AUTHORIZATION_TTL: "60" };
    const image = await createImage({ size: SIZE });
    await (await download(image.id, { env })).arrayBuffer();
    await settled();
    await objectPut(image);
    await expectCalls(...asks(image.id), file(image.id));
    await (await download(image.id, { env })).arrayBuffer();
    await expectCalls();
    await (await ask(`/v2/images/${image.id}/file?prefer=ceph`, { env })).arrayBuffer();
    await expectCalls(...asks(image.id, "?prefer=ceph"));
  });
});

it("every question of the edge carries its own name and version", async () => {
  const image = await createImage({ size: 1000 });
  await (await download(image.id, { headers: { "user-agent": "curl/8" } })).arrayBuffer();
  await settled();
  const seen = await expectCalls(...asks(image.id), file(image.id));
  const agents = seen.map(({ range, headers }) => `${range === null ? "data" : "right"}: ${headers["user-agent"]}`);
  expect(agents.sort()).toEqual(["data: glance-edge/0.1.0", "data: glance-edge/0.1.0", "right: glance-edge/0.1.0"]);
});
