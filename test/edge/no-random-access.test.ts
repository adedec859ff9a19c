/**
 * In front of a store that can't read from the middle (Ceph RBD, S3, Swift, VMware, HTTP), where Glance answers 400 to every
 * range that it accepts: what a download is and costs there.
 */
import { describe, expect, it } from "vitest";
import { advance, backgroundPulls, enqueue } from "../support/prefetching.ts";
import { dataBytes, dataRanges, expectImage, startReader } from "../support/readers.ts";
import {
  ask,
  asks,
  atOrigin,
  bindings,
  committed,
  createImage,
  download,
  expectCalls,
  goesOn,
  type Image,
  NO_RANDOM_ACCESS,
  setFaults,
  settled,
  sha512,
  storedSlices,
  trueBytes,
} from "../support/scenario.ts";

const SIZE = 3_000_000;
const SLICE = 512 * 1024;
const file = (id: string) => `GET /v2/images/${id}/file`;

async function imageThere(faults: Readonly<Record<string, unknown>> = {}): Promise<Image> {
  const image = await createImage({ size: SIZE });
  await setFaults(image.id, { ...NO_RANDOM_ACCESS, ...faults });
  return image;
}

/** Downloads the image, which costs the origin the image once, and waits until it is stored. */
async function cache(image: Image): Promise<void> {
  const miss = await startReader(image.id);
  expect(miss.cacheStatus).toBe("glance-edge; fwd=uri-miss; stored");
  await expectImage(miss, image);
  await settled();
  await committed(image.id);
  expect(dataBytes(await expectCalls(...asks(image.id), file(image.id)))).toBe(SIZE);
}

describe("an image in a store without random access", () => {
  it("is stored by its first download; the second one is a hit, and neither's right costs a byte", async () => {
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
    const readers = await Promise.all(Array.from({ length: 12 }, () => startReader(image.id)));
    for (const reader of readers) await expectImage(reader, image);
    await settled();
    await committed(image.id);
    const seen = await expectCalls(...readers.flatMap(() => asks(image.id)), file(image.id));
    expect(dataBytes(seen)).toBe(SIZE);
  });

  it.each(["bytes=0-0", "bytes=100000-", "bytes=524280-1048600", "bytes=-9"])(
    "gives the range %s once it is stored",
    async (range) => {
      const image = await imageThere();
      await cache(image);
      const part = await download(image.id, { headers: { range } });
      expect([part.status, part.headers.get("cache-status")]).toEqual([206, "glance-edge; hit"]);
      await setFaults(image.id, {});
      const bytes = await trueBytes(image.id);
      const [, from = "", to = ""] = /^bytes (\d+)-(\d+)\//.exec(part.headers.get("content-range") ?? "") ?? [];
      expect(new Uint8Array(await part.arrayBuffer())).toEqual(bytes.subarray(Number(from), Number(to) + 1));
      await expectCalls(...asks(image.id));
    },
  );

  it("has the origin's own 400 for a range while it is not stored", async () => {
    const image = await imageThere();
    const headers = { range: "bytes=5-9", accept: "application/json" };
    const mine = await download(image.id, { headers });
    expect(mine.status).toBe(400);
    expect(mine.headers.get("cache-status")).toBe("glance-edge; fwd=bypass; detail=range-not-stored");
    const theirs = await atOrigin(`/v2/images/${image.id}/file`, { headers });
    expect(await mine.text()).toBe(await theirs.text());
    await expectCalls(...asks(image.id), `${file(image.id)} bytes=5-9`);
  });

  it.each([1, 3])("is read again from its beginning when the connection is cut %i times", async (cutTimes) => {
    const image = await imageThere({ cutAt: 1_300_000, cutTimes });
    await expectImage(await startReader(image.id), image);
    await settled();
    await committed(image.id);
    const again = Array(cutTimes).fill(file(image.id));
    const seen = await expectCalls(...asks(image.id), file(image.id), ...again, goesOn(image.id));
    // One range is asked for: from then on it is known that there are none.
    expect(dataRanges(seen)).toEqual([null, `bytes=${2 * SLICE}-`, ...Array(cutTimes).fill(null)]);
    expect(dataBytes(seen)).toBe(SIZE + cutTimes * 1_300_000);
  });

  it("is cut, and not asked for without end, when the connection is cut each time", async () => {
    const image = await imageThere({ cutAt: 1_300_000 });
    const reader = await startReader(image.id);
    expect(await reader.ended).toBe("cut");
    await settled();
    const seen = await expectCalls(...asks(image.id), `*${file(image.id)}`, goesOn(image.id));
    expect(dataRanges(seen)).toHaveLength(5);
  });

  it("is finished without its client, from the beginning, when that leaves half way", async () => {
    const image = await imageThere({ rate: 1_500_000 });
    const reader = await startReader(image.id);
    await reader.has(2 * SLICE);
    reader.leave();
    await reader.ended;
    await setFaults(image.id, NO_RANDOM_ACCESS);
    await settled();
    await committed(image.id);
    // The background asks under the reader's rights, its mark included.
    await expectCalls(...asks(image.id), file(image.id), goesOn(image.id), file(image.id));
    const hit = await startReader(image.id);
    expect(hit.cacheStatus).toBe("glance-edge; hit");
    await expectImage(hit, image);
    await expectCalls(...asks(image.id));
  });

  it("is fetched without a client when it is queued, and again from its beginning when that is cut", async () => {
    const image = await imageThere({ cutAt: 1_300_000, cutTimes: 1 });
    await enqueue([image], "demo");
    await advance();
    await committed(image.id);
    const pulls = await backgroundPulls(image);
    expect(dataRanges(pulls)).toEqual([null, `bytes=${2 * SLICE}-`, null]);
    expect(dataBytes(pulls)).toBe(SIZE + 1_300_000);
  });

  it("has its slice repaired from the origin", async () => {
    const image = await imageThere();
    await cache(image);
    const keys = await storedSlices(`blobs/sha512-${image.os_hash_value}/`);
    await bindings.BUCKET.delete(keys.at(-1) ?? "");
    const hit = await startReader(image.id);
    await expectImage(hit, image);
    await settled();
    await expectCalls(...asks(image.id), goesOn(image.id), file(image.id));
  });
});

describe("a query", () => {
  it("goes along with the question for the right and with the data, not with that for the record", async () => {
    const image = await createImage({ size: SIZE });
    const query = "?prefer=ceph%2Cfile";
    const miss = await ask(`/v2/images/${image.id}/file${query}`);
    expect(await sha512(await miss.arrayBuffer())).toBe(image.os_hash_value);
    await settled();
    await committed(image.id);
    await expectCalls(...asks(image.id, query), `${file(image.id)}${query}`);
  });

  it("is another question of rights: what was remembered without it is asked again with it", async () => {
    const env = { AUTHORIZATION_TTL: "60" };
    const image = await createImage({ size: SIZE });
    await cache(image);
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
