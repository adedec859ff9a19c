/** Invariant 2: no download ends well with wrong bytes, and no client gets bytes of two attempts. */

import { describe, expect, it } from "vitest";
import {
  bytesOf,
  expectKept,
  expectNothingLeft,
  readersOf,
  remembered,
  SOON,
  startReaders,
  takeData,
} from "../support/fills.ts";
import { keepLines } from "../support/lines.ts";
import { expectImage, startReader } from "../support/readers.ts";
import { calls, createImage, download, type Image, setFaults, settled, trueBytes } from "../support/scenario.ts";
import { RANGES_AFTER_MISMATCH_MS } from "../support/times.ts";

const SIZE = 3_000_000;
const lines = keepLines();

async function range(image: Image, value: string): Promise<Response> {
  return download(image.id, { headers: { range: value } });
}

async function expectLeftAlone(response: Response): Promise<void> {
  expect(response.status).toBe(502);
  expect(await response.text()).toMatch(/The image's data at the origin (does|did) not match its digest/);
  expect(response.headers.get("cache-status")).toMatch(/detail=(digest-mismatch|left-alone)$/);
}

describe("an image whose data at the origin is wrong", () => {
  it.each([
    ["first", 0],
    ["middle", 1_700_000],
    ["last", SIZE - 1],
  ])(
    "in its %s byte: all who share the fill are cut before its end, at the price of one image",
    async (_, corruptAt) => {
      const image = await createImage({ size: SIZE });
      // Far from its end until all have begun: who comes after it begins the next attempt.
      await setFaults(image.id, { rate: 200_000, corruptAt });
      const readers = await startReaders(image, 12);
      await setFaults(image.id, { rate: 100_000_000, corruptAt });
      for (const reader of readers) {
        expect(await reader.ended).toBe("cut");
        expect(reader.received).toBeLessThanOrEqual(SIZE - 64 * 1024);
      }
      await settled();
      expect(bytesOf(await takeData(image))).toBe(SIZE);
      await expectNothingLeft(image);
      expect(lines("fill.mismatch")).toHaveLength(1);

      await setFaults(image.id, {});
      const next = await startReader(image.id);
      expect(next.cacheStatus).toBe("glance-edge; fwd=uri-miss; stored");
      await expectImage(next, image);
      await settled();
      expect(bytesOf(await takeData(image))).toBe(SIZE);
      const hit = await startReader(image.id);
      await expectImage(hit, image);
      await takeData(image);
    },
  );

  it("and of one slice only is refused to all with 502, at the price of one image", async () => {
    const image = await createImage({ size: 50_000 });
    await setFaults(image.id, { corruptAt: 49_999, rate: 1000 });
    const downloads = Array.from({ length: 12 }, () => download(image.id));
    await readersOf(image, 12);
    await setFaults(image.id, { corruptAt: 49_999, rate: 100_000_000 });
    for (const answer of await Promise.all(downloads)) {
      expect(answer.status).toBe(502);
      expect(await answer.text()).toContain("does not match its digest");
      expect(answer.headers.get("cache-status")).toBe("glance-edge; fwd=uri-miss; detail=digest-mismatch");
    }
    await settled();
    expect(bytesOf(await takeData(image))).toBe(50_000);
    await expectNothingLeft(image);
  });

  it("behind an error of the origin is told as what it is, not as that error", async () => {
    const image = await createImage({ size: 50_000 });
    const env = await remembered(image);
    await setFaults(image.id, { status: 503 });
    const answering = download(image.id, { env });
    // A pull asks twice before it ends by that.
    const refused = async () => (await calls()).filter(({ status }) => status === 503).length;
    await expect.poll(refused, SOON).toBeGreaterThanOrEqual(2);
    await setFaults(image.id, { corruptAt: 5 });
    const answer = await answering;
    expect(await answer.text()).toContain("does not match its digest");
    expect(answer.status).toBe(502);
    await settled();
    await takeData(image);
  });

  it("gives no part to who would complete a file with it, until ten minutes after an attempt agreed", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 3_000_000, corruptAt: 5 });
    const first = await startReader(image.id);
    expect(await first.ended).toBe("cut");
    for (const value of ["bytes=2000000-", "bytes=0-99", "bytes=-100"])
      await expectLeftAlone(await range(image, value));
    await settled();
    expect(bytesOf(await takeData(image))).toBe(SIZE);

    // A whole download begins the next attempt. While it runs parts are refused as before.
    await setFaults(image.id, { rate: 3_000_000 });
    const next = await startReader(image.id);
    await next.has(500_000);
    await expectLeftAlone(await range(image, "bytes=100000-"));
    await expectImage(next, image);
    const agreed = Date.now();
    while (Date.now() < agreed + RANGES_AFTER_MISMATCH_MS - 1_500) {
      await expectLeftAlone(await range(image, "bytes=2000000-"));
      await scheduler.wait(100);
    }
    await expect.poll(async () => (await range(image, "bytes=2000000-")).status, { timeout: 50_000 }).toBe(206);
    const part = await range(image, "bytes=2000000-");
    expect(new Uint8Array(await part.arrayBuffer())).toEqual((await trueBytes(image.id)).slice(2_000_000));
    const whole = await startReader(image.id);
    expect(whole.cacheStatus).toBe("glance-edge; hit");
    await expectImage(whole, image);
    await settled();
    await takeData(image);
    await expectKept(image);
  });

  it("time after time costs each whole download one image, and never ends well", async () => {
    const image = await createImage({ size: SIZE });
    // Slow enough for the answer to begin before the end is known, on any machine.
    await setFaults(image.id, { rate: 3_000_000, corruptAt: 5 });
    for (let time = 0; time < 3; time++) {
      const reader = await startReader(image.id);
      expect(await reader.ended).toBe("cut");
      expect(reader.received).toBeLessThan(SIZE);
      await settled();
      expect(bytesOf(await takeData(image))).toBe(SIZE);
    }
    await expectNothingLeft(image);
  });
});
