import { describe, expect, it } from "vitest";
import {
  bytesOf,
  expectKept,
  expectNothingLeft,
  keysOf,
  RANDOM_ACCESS,
  readersOf,
  startReaders,
  takeData,
} from "../../support/fills.ts";
import { keepLines } from "../../support/lines.ts";
import { expectImage, startReader } from "../../support/readers.ts";
import { createImage, download, setFaults, settled } from "../../support/scenario.ts";
import { FAILED_MS } from "../../support/times.ts";

const SIZE = 2_000_000;
const lines = keepLines();

describe("an origin whose data is not the image", () => {
  it.each([
    ["one byte too few", { shortBy: 1 }],
    ["half of it", { shortBy: SIZE / 2 }],
    ["one byte too many", { longBy: 1 }],
    ["much too many", { longBy: SIZE }],
  ])("by %s: each reader is cut or refused, and nothing is kept", async (_, faults) => {
    const image = await createImage({ size: SIZE });
    // Far from its end until all have begun: who comes after it begins the next attempt.
    await setFaults(image.id, { ...faults, rate: 20_000 });
    const starting = startReaders(image, 4);
    await readersOf(image, 4);
    await setFaults(image.id, { ...faults, rate: 100_000_000 });
    for (const reader of await starting) {
      if (reader.response.status === 200) expect(await reader.ended).toBe("cut");
      else expect(reader.response.status).toBe(502);
      expect(reader.received).toBeLessThan(SIZE);
    }
    await settled();
    // At most three images, and without random access what came of the next one until that was told.
    expect(bytesOf(await takeData(image))).toBeLessThanOrEqual((RANDOM_ACCESS ? 3.3 : 4.1) * SIZE);
    expect(lines("fill.kept")).toEqual([]);
    expect((await keysOf(image.id)).filter((key) => key.startsWith("images/"))).toEqual([]);
    await setFaults(image.id, {});
    await scheduler.wait(FAILED_MS);
    const next = await startReader(image.id);
    await expectImage(next, image);
    await settled();
    await takeData(image);
    await expectKept(image);
  });

  it("encoded: each reader gets the origin's own answer, and nothing is kept", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { contentEncoding: "gzip" });
    const answers = await Promise.all([1, 2, 3].map(() => download(image.id)));
    for (const answer of answers) {
      expect(answer.status).toBe(200);
      expect(answer.headers.get("content-encoding")).toBe("gzip");
      expect(answer.headers.get("cache-status")).toBe("glance-edge; fwd=uri-miss; detail=encoded");
      await answer.body?.cancel();
    }
    await settled();
    await takeData(image);
    await expectNothingLeft(image);
  });
});
