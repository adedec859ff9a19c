import { afterEach, describe, expect, it } from "vitest";
import { bucketBut } from "../support/bindings.ts";
import { CALM, fillEnv } from "../support/fill-env.ts";
import { bytesOf, expectKept, expectOnce, objectPut, SOON, startReaders, takeData } from "../support/fills.ts";
import { Holding } from "../support/holding.ts";
import { keptImage } from "../support/kept.ts";
import { keepLines } from "../support/lines.ts";
import { expectImage, startReader } from "../support/readers.ts";
import { ask, asks, bindings, createImage, expectCalls, settled, trueBytes } from "../support/scenario.ts";

const SIZE = 3_000_000;
const lines = keepLines();

afterEach(() => {
  fillEnv.changes = CALM;
});

/** Of a reader that finds nothing at its own look, and evicted what it is told of then. */
function evictedOnceTold(): { readonly gets: readonly string[]; readonly BUCKET: R2Bucket } {
  const gets: string[] = [];
  const BUCKET = bucketBut({
    get: async (key: string, options: R2GetOptions) => {
      gets.push(key);
      if (gets.length === 2) await bindings.BUCKET.delete(key);
      return bindings.BUCKET.get(key, options);
    },
  });
  return { gets, BUCKET };
}

describe("a reader whose look at R2 was long before its question to the Fill", () => {
  it("finds the image kept and the Fill forgotten, and costs the origin nothing", async () => {
    const image = await createImage({ size: SIZE });
    const holding = new Holding((_, count) => count === 0);
    const late = startReader(image.id, { env: holding.env });
    await expect.poll(() => holding.held, SOON).toBe(1);
    await expectImage(await startReader(image.id), image);
    await expectKept(image);
    holding.open();
    const reader = await late;
    expect(reader.cacheStatus).toBe("glance-edge; fwd=uri-miss; collapsed");
    await expectImage(reader, image);
    await expectOnce(image);
    await expectKept(image);
  });

  it("finds the image kept by a Fill that knows of it still", async () => {
    const image = await createImage({ size: SIZE });
    const holding = new Holding((_, count) => count === 0);
    const late = startReader(image.id, { env: holding.env });
    await expect.poll(() => holding.held, SOON).toBe(1);
    await expectImage(await startReader(image.id), image);
    await objectPut(image);
    holding.open();
    await expectImage(await late, image);
    await expectOnce(image);
    await expectKept(image);
  });
});

describe("a reader that is told of a kept image", () => {
  it("which is gone when it reads is given it from the slices, put once more", async () => {
    const image = await createImage({ size: SIZE });
    const { gets, BUCKET } = evictedOnceTold();
    const holding = new Holding((_, count) => count === 0);
    const late = startReader(image.id, { env: { ...holding.env, BUCKET } });
    await expect.poll(() => holding.held, SOON).toBe(1);
    await expectImage(await startReader(image.id), image);
    await objectPut(image);
    holding.open();
    await expectImage(await late, image);
    expect(gets[1]).toBe(`images/${image.id}`);
    await expectOnce(image);
    await expectKept(image);
  });

  it("which is gone, and its slices as well, is given it by another attempt", async () => {
    const image = await createImage({ size: SIZE });
    const { BUCKET } = evictedOnceTold();
    const holding = new Holding((_, count) => count === 0);
    const late = startReader(image.id, { env: { ...holding.env, BUCKET } });
    await expect.poll(() => holding.held, SOON).toBe(1);
    await expectImage(await startReader(image.id), image);
    await expectKept(image);
    holding.open();
    await expectImage(await late, image);
    await settled();
    expect(bytesOf(await takeData(image))).toBe(2 * SIZE);
    await expectKept(image);
  });
});

describe("64 readers that see one stale object", () => {
  it.each([
    ["that nobody's fill has put", { customMetadata: {} }],
    ["of other data", { customMetadata: { kind: "image", attempt: "another", rangesFrom: "0" } }],
  ])("%s have it replaced, once", async (_, options) => {
    const image = await createImage({ size: 500_000 });
    await bindings.BUCKET.put(`images/${image.id}`, new Uint8Array(500_000), options);
    const readers = await startReaders(image, 64);
    for (const reader of readers) await expectImage(reader, image);
    await expectOnce(image);
    await expectKept(image);
    expect(lines("image.evicted")).toHaveLength(1);
  });
});

it("an object that breaks off in the middle cuts the download", async () => {
  const image = await keptImage({ size: SIZE });
  const get = async (key: string, options: R2GetOptions) => {
    const object = await bindings.BUCKET.get(key, options);
    if (object === null) return null;
    const { readable, writable } = new FixedLengthStream(object.size);
    const writer = writable.getWriter();
    const half = new Uint8Array(await object.arrayBuffer()).slice(0, SIZE / 2);
    void writer
      .write(half)
      .then(() => writer.abort(new Error("R2 broke off")))
      .catch(() => undefined);
    return new Proxy(object, {
      get: (target, name) => (name === "body" ? readable : Reflect.get(target, name, target)),
    });
  };
  const reader = await startReader(image.id, { env: { BUCKET: bucketBut({ get }) } });
  expect(reader.cacheStatus).toBe("glance-edge; hit");
  expect(await reader.ended).toBe("cut");
  // The client resumes by itself.
  const rest = await ask(`/v2/images/${image.id}/file`, { headers: { range: `bytes=${SIZE / 2}-` } });
  expect(new Uint8Array(await rest.arrayBuffer())).toEqual((await trueBytes(image.id)).slice(SIZE / 2));
  await expectCalls(...asks(image.id), ...asks(image.id));
});
