/** Invariant 5: however many read, and however slow the origin is, its image comes once. */

import { describe, expect, it } from "vitest";
import { countAsks } from "../support/bindings.ts";
import { bytesOf, expectKept, expectOnce, startReaders, takeData } from "../support/fills.ts";
import { keepLines } from "../support/lines.ts";
import { expectImage, startReader } from "../support/readers.ts";
import { createImage, setFaults, settled } from "../support/scenario.ts";

const lines = keepLines();

describe("downloads at once of an image that is not kept", () => {
  it.each([
    [1, 3_000_000],
    [12, 3_000_000],
    [64, 1_000_000],
  ])("%i of them cost the origin one image, and it is kept", async (count, size) => {
    const image = await createImage({ size });
    await setFaults(image.id, { rate: size });
    const readers = await startReaders(image, count);
    expect(readers.map((reader) => reader.cacheStatus).sort()).toEqual([
      ...Array(count - 1).fill("glance-edge; fwd=uri-miss; collapsed"),
      "glance-edge; fwd=uri-miss; stored",
    ]);
    for (const reader of readers) {
      expect(reader.response.status).toBe(200);
      expect(reader.response.headers.get("content-length")).toBe(String(size));
      await expectImage(reader, image);
    }
    await expectOnce(image);
    await expectKept(image);
    expect(lines("fill.kept")).toHaveLength(1);

    const hit = await startReader(image.id);
    expect(hit.cacheStatus).toBe("glance-edge; hit");
    await expectImage(hit, image);
    expect(await takeData(image)).toEqual([]);
  });

  it.each([1, 2, 65_535, 65_536, 65_537, 524_287, 524_288, 524_289])("of %i bytes are whole", async (size) => {
    const image = await createImage({ size });
    const readers = await startReaders(image, 3);
    for (const reader of readers) await expectImage(reader, image);
    await expectOnce(image);
    await expectKept(image);
  });

  it("are authorised one by one: who may not read the image gets none of it, while others do", async () => {
    const image = await createImage({ size: 1_500_000 });
    await setFaults(image.id, { rate: 1_000_000 });
    const first = await startReader(image.id);
    await first.has(100_000);
    const [stranger, other] = await Promise.all([
      startReader(image.id, { token: "other" }),
      startReader(image.id, { token: "admin" }),
    ]);
    expect(stranger.response.status).toBe(404);
    expect(other.cacheStatus).toBe("glance-edge; fwd=uri-miss; collapsed");
    await stranger.ended;
    await expectImage(first, image);
    await expectImage(other, image);
    await settled();
    const data = await takeData(image);
    // The stranger's is the origin's own refusal.
    expect(data.map(({ token, status }) => [token, status]).sort()).toEqual([
      ["demo", 200],
      ["other", 404],
    ]);
    expect(bytesOf(data.filter(({ token }) => token === "demo"))).toBe(image.size);
  });

  it("200 of them ask the Fill about once a second each, however fast the slices come", async () => {
    const image = await createImage({ size: 600_000 });
    await setFaults(image.id, { rate: 300_000 });
    const { fills, asks } = countAsks();
    const readers = await startReaders(image, 200, { env: { FILL: fills } });
    for (const reader of readers) await expectImage(reader, image);
    const times = asks.map(({ at }) => at).sort((a, b) => a - b);
    // No reader asks again before the turn that it has among 200, which is a second later.
    const byReader = Map.groupBy(asks, ({ ask }) => ask.reader);
    expect(byReader.size).toBe(200);
    const seconds = ((times.at(-1) ?? 0) - (times[0] ?? 0)) / 1_000;
    const most = Math.max(...Array.from(byReader.values(), (own) => own.length));
    // The first, the one with the rights, and then one a second.
    expect(most).toBeLessThanOrEqual(3 + seconds);
    await expectOnce(image);
  }, 120_000);
});
