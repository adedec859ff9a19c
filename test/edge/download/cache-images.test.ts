/** CACHE_IMAGES: what it does not name is checked on its way, and never stored. */
import { beforeEach, describe, expect, it } from "vitest";
import { file, type SmallEdge, smallEdge } from "../../support/cap.ts";
import { keepLines } from "../../support/lines.ts";
import { expectImage, startReader } from "../../support/readers.ts";
import { asks, committed, createImage, download, expectCalls, setFaults, settled } from "../../support/scenario.ts";
import { keysOf } from "../../support/store.ts";

const MB = 1_000_000;
const NAMED = { CACHE_IMAGES: "tag:keep,owner:other" };
keepLines();
let edge: SmallEdge;

beforeEach(async () => {
  const small = await smallEdge(100 * MB, NAMED);
  edge = { ...small, env: { ...small.env, ...NAMED } };
});

describe("an image that CACHE_IMAGES does not name", () => {
  it("passes, and nothing of it is stored, however often it is downloaded", async () => {
    const image = await createImage({ size: MB });
    for (let times = 0; times < 2; times++) {
      const reader = await startReader(image.id, { env: edge.env });
      expect(reader.cacheStatus).toBe("glance-edge; fwd=uri-miss; detail=not-selected");
      await expectImage(reader, image);
      await settled();
      await expectCalls(...asks(image.id), file(image));
    }
    expect(await keysOf(image.id)).toEqual([]);
    expect(edge.log).toEqual([]);
  });

  it("is cut where its data are wrong, before the end", async () => {
    const image = await createImage({ size: MB });
    await setFaults(image.id, { corruptAt: 10 });
    const reader = await startReader(image.id, { env: edge.env });
    expect(await reader.ended).toBe("cut");
    await settled();
    await expectCalls(...asks(image.id), file(image));
  });

  it("has its ranges from the origin", async () => {
    const image = await createImage({ size: MB });
    const response = await download(image.id, { headers: { range: "bytes=5-9" }, env: edge.env });
    expect(response.status).toBe(206);
    expect(response.headers.get("cache-status")).toBe("glance-edge; fwd=bypass; detail=not-selected");
    expect((await response.arrayBuffer()).byteLength).toBe(5);
    await settled();
    await expectCalls(...asks(image.id), `${file(image)} bytes=5-9`);
  });
});

describe("an image that CACHE_IMAGES names", () => {
  it.each([
    ["by a tag", { tags: ["keep"] }],
    ["by its project", { owner: "other", visibility: "public" }],
  ])("%s is stored", async (_, options) => {
    const image = await createImage({ size: MB, ...options });
    const reader = await startReader(image.id, { env: edge.env });
    expect(reader.cacheStatus).toBe("glance-edge; fwd=uri-miss; stored");
    await expectImage(reader, image);
    await committed(image.id);
    await expectCalls(...asks(image.id), file(image));
  });
});
