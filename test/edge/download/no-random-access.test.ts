/**
 * In front of a store that can't read from the middle (Ceph RBD, S3, Swift, VMware, HTTP), where Glance answers 400 to every
 * range that it accepts: what a download is and costs there. Said of each image here, so that this holds in front of any origin.
 */

import { describe, expect, it } from "vitest";
import { fillClient } from "../../support/bindings.ts";
import { bytesOf, expectKept, objectPut, rangesOf, startReaders, takeData } from "../../support/fills.ts";
import { keepLines } from "../../support/lines.ts";
import { imageThere, SIZE } from "../../support/no-random-access.ts";
import { expectImage, startReader } from "../../support/readers.ts";
import {
  ask,
  asks,
  atOrigin,
  createImage,
  download,
  expectCalls,
  type Image,
  settled,
  sha512,
  takeCalls,
  trueBytes,
} from "../../support/scenario.ts";
import { RANGE_AHEAD_BYTES } from "../../support/times.ts";

const MISS = "glance-edge; fwd=uri-miss; stored";
const file = (id: string) => `GET /v2/images/${id}/file`;
keepLines();

/** Downloads the image, which costs the origin the image once, and waits until it is kept. */
async function cache(image: Image): Promise<void> {
  const miss = await startReader(image.id);
  expect(miss.cacheStatus).toBe(MISS);
  await expectImage(miss, image);
  await settled();
  await objectPut(image);
  await expectCalls(...asks(image.id), file(image.id));
}

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
