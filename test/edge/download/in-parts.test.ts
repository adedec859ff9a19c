/** Images too large for one put: kept in parts, and fetched again when one of those is lost. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fillClient } from "../../support/bindings.ts";
import { CALM, fillEnv } from "../../support/fill-env.ts";
import { SOON, takeData } from "../../support/fills.ts";
import { keysOf } from "../../support/kept.ts";
import { keepLines } from "../../support/lines.ts";
import { expectImage, startReader } from "../../support/readers.ts";
import { bindings, createImage, download, type Image, settled, trueBytes } from "../../support/scenario.ts";

const SLICE = 512 * 1024;
const SIZE = 4 * SLICE + 7;
const lines = keepLines();

beforeEach(() => {
  fillEnv.changes = { ...CALM, OBJECT_MAX_BYTES: String(SLICE) };
});

afterEach(() => {
  fillEnv.changes = CALM;
});

const partKeys = async (image: Image) => (await keysOf(image)).filter((key) => key.startsWith("parts/"));

/** Fetched by its Fill, kept in five parts, and its Fill forgotten. */
async function keptInParts(): Promise<Image> {
  const image = await createImage({ size: SIZE });
  await expectImage(await startReader(image.id), image);
  await settled();
  await expect
    .poll(async () => (await keysOf(image)).map((key) => key.split("/")[0]), SOON)
    .toEqual(["images", "parts", "parts", "parts", "parts", "parts"]);
  await takeData(image);
  return image;
}

async function loseOne(image: Image, part: number): Promise<void> {
  const key = (await partKeys(image))[part];
  if (key === undefined) throw new Error(`there is no part ${part}`);
  await bindings.BUCKET.delete(key);
}

describe("an image in parts", () => {
  it("is a hit, whole and in a range over three parts", async () => {
    const image = await keptInParts();
    const reader = await startReader(image.id);
    expect(reader.cacheStatus).toBe("glance-edge; hit");
    await expectImage(reader, image);
    const range = { from: SLICE - 3, to: 2 * SLICE + 5 };
    const response = await download(image.id, { headers: { range: `bytes=${range.from}-${range.to - 1}` } });
    expect(response.headers.get("cache-status")).toBe("glance-edge; hit");
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(
      (await trueBytes(image.id)).slice(range.from, range.to),
    );
    expect(await takeData(image)).toEqual([]);
  });

  it.each([1, 4])("that has lost part %i cuts one download, and is fetched again by the next", async (part) => {
    const image = await keptInParts();
    await loseOne(image, part);
    expect(await (await startReader(image.id)).ended).toBe("cut");
    await settled();
    expect(lines("fill.part-lost")).toMatchObject([{ image_id: image.id }]);
    expect(await keysOf(image)).toEqual([]);
    const next = await startReader(image.id);
    expect(next.cacheStatus).toBe("glance-edge; fwd=uri-miss; stored");
    await expectImage(next, image);
    await expect.poll(() => partKeys(image), SOON).toHaveLength(5);
    expect(await takeData(image)).toHaveLength(1);
  });

  it("that has lost its first part cuts nobody, and is fetched again", async () => {
    const image = await keptInParts();
    await loseOne(image, 0);
    const reader = await startReader(image.id);
    await expectImage(reader, image);
    await expect.poll(() => partKeys(image), SOON).toHaveLength(5);
    expect(await takeData(image)).toHaveLength(1);
  });

  it("is left as it is when all parts are there that a download did not find", async () => {
    const image = await keptInParts();
    const before = await keysOf(image);
    const attempt = before[1]?.split("/")[2] ?? "";
    await fillClient(image.id).missed(attempt);
    expect(await keysOf(image)).toEqual(before);
  });
});
