import { describe, expect, it, vi } from "vitest";
import { bytesOf, expectKept, RANDOM_ACCESS, rangesOf, takeData } from "../../support/fills.ts";
import { keepLines } from "../../support/lines.ts";
import { expectImage, startReader } from "../../support/readers.ts";
import { createImage, download, type Image, setFaults, settled, trueBytes } from "../../support/scenario.ts";
import { RANGE_AHEAD_BYTES } from "../../support/times.ts";

const SIZE = 3_000_000;
keepLines();

interface Part {
  readonly status: number;
  readonly contentRange: string | null;
  readonly cacheStatus: string | null;
  readonly bytes: Uint8Array;
}

async function part(image: Image, range: string): Promise<Part> {
  const response = await download(image.id, { headers: { range } });
  return {
    status: response.status,
    contentRange: response.headers.get("content-range"),
    cacheStatus: response.headers.get("cache-status"),
    bytes: new Uint8Array(await response.arrayBuffer()),
  };
}

describe("a range of an image that is not kept", () => {
  it.each([
    ["all of it", "bytes=0-", 0, SIZE],
    ["its first byte", "bytes=0-0", 0, 1],
    ["its first bytes, across slices", "bytes=0-199999", 0, 200_000],
    ["some in the middle", "bytes=1000000-1999999", 1_000_000, 2_000_000],
    ["the rest, as a resume asks for it", "bytes=1234567-", 1_234_567, SIZE],
    ["its last byte", `bytes=${SIZE - 1}-`, SIZE - 1, SIZE],
    ["its last bytes", "bytes=-1000", SIZE - 1_000, SIZE],
    ["more than there is", "bytes=2999000-9999999", 2_999_000, SIZE],
  ])("being %s is read from a fill, which it begins", async (_, range, from, to) => {
    const image = await createImage({ size: SIZE });
    const got = await part(image, range);
    expect([got.status, got.contentRange]).toEqual([206, `bytes ${from}-${to - 1}/${SIZE}`]);
    expect(got.cacheStatus).toBe("glance-edge; fwd=uri-miss; stored");
    await settled();
    if (range !== "bytes=0-0") expect(rangesOf(await takeData(image))).toEqual([null]);
    else await takeData(image);
    expect(got.bytes).toEqual((await trueBytes(image.id)).slice(from, to));
    await expectKept(image);
  });

  it("joins a fill that runs: piece after piece costs one image", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 3_000_000 });
    const first = await startReader(image.id);
    await first.has(100_000);
    const pieces: Uint8Array[] = [];
    for (let from = 0; from < SIZE; from += 500_000) {
      const got = await part(image, `bytes=${from}-${from + 499_999}`);
      expect([got.status, got.contentRange]).toEqual([206, `bytes ${from}-${from + 499_999}/${SIZE}`]);
      pieces.push(got.bytes);
    }
    await expectImage(first, image);
    await settled();
    const data = await takeData(image);
    expect(bytesOf(data)).toBe(SIZE);
    expect(new Uint8Array(await new Blob(pieces).arrayBuffer())).toEqual(await trueBytes(image.id));
    await expectKept(image);
  });

  it("does not end before the digest of the whole agreed", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 3_000_000, corruptAt: 2_900_000 });
    const response = await download(image.id, { headers: { range: "bytes=0-999999" } });
    if (response.status === 206) await expect(response.arrayBuffer()).rejects.toThrow();
    else expect(response.status).toBe(502);
    const again = await part(image, "bytes=1000-");
    expect(again.status).toBe(502);
    await settled();
    expect(bytesOf(await takeData(image))).toBe(SIZE);
  });

  it("that Glance refuses is refused by Glance", async () => {
    const image = await createImage({ size: SIZE });
    for (const range of [`bytes=${SIZE}-`, "bytes=5-4", "bytes=0-1,3-4"]) {
      const response = await download(image.id, { headers: { range } });
      expect(response.headers.get("cache-status")).toBe("glance-edge; fwd=bypass; detail=range-refused");
      await response.arrayBuffer();
    }
    await takeData(image);
  });
});

// Where it can't read from the middle the range waits for the fill: download/no-random-access.test.ts.
describe.runIf(RANDOM_ACCESS)("a range far behind what the fill has stored, of an origin that reads at random,", () => {
  it("is the origin's own answer, and begins no fill", async () => {
    const size = RANGE_AHEAD_BYTES + 4_000_000;
    const image = await createImage({ size });
    const from = RANGE_AHEAD_BYTES + 1;
    const got = await part(image, `bytes=${from}-${from + 99}`);
    expect([got.status, got.contentRange]).toEqual([206, `bytes ${from}-${from + 99}/${size}`]);
    expect(got.cacheStatus).toBe("glance-edge; fwd=bypass; detail=range-not-stored");
    expect(got.bytes).toHaveLength(100);
    await settled();
    expect(rangesOf(await takeData(image))).toEqual([`bytes=${from}-${from + 99}`]);
  });

  it("is the origin's own where that is a refusal without an end: of it no more is read than Glance's have", async () => {
    const image = await createImage({ size: RANGE_AHEAD_BYTES + 4_000_000 });
    const range = `bytes=${RANGE_AHEAD_BYTES + 1}-`;
    const send = globalThis.fetch;
    let pulled = 0;
    vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
      if (new Request(input, init).headers.get("range") !== range) return send(input, init);
      const pull = async (controller: ReadableStreamDefaultController) => {
        await scheduler.wait(5);
        pulled++;
        controller.enqueue(new Uint8Array(4_096));
      };
      return new Response(new ReadableStream({ pull }), { status: 400 });
    });
    const asking = download(image.id, { headers: { range } });
    const response = await Promise.race([asking, scheduler.wait(5_000)]);
    vi.restoreAllMocks();
    expect(response?.status).toBe(400);
    expect(pulled).toBeLessThan(20);
    await response?.body?.cancel();
    await settled();
    await takeData(image);
  });

  it("is the origin's own while a fill runs that is not that far yet, and costs the fill nothing", async () => {
    const size = RANGE_AHEAD_BYTES + 4_000_000;
    const image = await createImage({ size });
    await setFaults(image.id, { rate: 500_000 });
    const first = await startReader(image.id);
    await first.has(60_000);
    const got = await part(image, `bytes=${size - 100}-`);
    expect([got.status, got.cacheStatus]).toEqual([206, "glance-edge; fwd=bypass; detail=range-not-stored"]);
    expect(got.bytes).toHaveLength(100);
    first.leave();
    const { fillClient } = await import("../../support/bindings.ts");
    await fillClient(image.id).remove("always");
    await settled();
    expect(rangesOf(await takeData(image)).sort()).toEqual([`bytes=${size - 100}-`, null].sort());
  });
});
