/** Races between a Fill, its readers and R2, each made to happen: what a test holds back it lets go at the worst moment. */

import { afterEach, describe, expect, it } from "vitest";
import type { Ask } from "../../src/fill/protocol.ts";
import type { Env } from "../../src/settings.ts";
import { bucketBut, countAsks, fillClient, resetFill, sliceOf } from "../support/bindings.ts";
import { CALM, fillEnv } from "../support/fill-env.ts";
import {
  bytesOf,
  expectKept,
  expectNothingLeft,
  expectOnce,
  objectPut,
  SOON,
  slicesOf,
  startReaders,
  takeData,
} from "../support/fills.ts";
import { keepLines } from "../support/lines.ts";
import { expectImage, startReader } from "../support/readers.ts";
import { bindings, createImage, type Image, setFaults, settled } from "../support/scenario.ts";

const SIZE = 3_000_000;
const lines = keepLines();

type PutArguments = Parameters<R2Bucket["put"]>;

afterEach(() => {
  fillEnv.changes = CALM;
});

async function slowImage(rate = 2_000_000): Promise<Image> {
  const image = await createImage({ size: SIZE });
  await setFaults(image.id, { rate });
  return image;
}

/** A put that R2 has taken in, and does when the test says so. */
interface HeldPut {
  readonly key: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly options: R2PutOptions | undefined;
}

/** Fills whose puts of one slice are held back for ever; R2 has them. */
function holdPutsOf(slice: number): HeldPut[] {
  const held: HeldPut[] = [];
  const put = (...args: PutArguments): Promise<R2Object | null> => {
    const [key, body, options] = args;
    if (!key.startsWith("fills/") || sliceOf(key) !== slice || held.length > 0) return bindings.BUCKET.put(...args);
    held.push({ key, bytes: (body as Uint8Array<ArrayBuffer>).slice(), options });
    return new Promise<never>(() => undefined);
  };
  fillEnv.changes = { ...CALM, BUCKET: bucketBut({ put }) };
  return held;
}

/** Holds back some of a reader's questions to its Fill. */
class Holding {
  held = 0;
  #asks = 0;
  #open = false;
  readonly env: Partial<Env>;

  /** @param which @param count the questions before it */
  constructor(which: (ask: Ask, count: number) => boolean) {
    const { fills } = countAsks(async (ask) => {
      if (!which(ask, this.#asks++)) return;
      this.held++;
      // Looked at again and again: a promise that another request settles would go on in that one's context.
      while (!this.#open) await scheduler.wait(20);
    });
    this.env = { FILL: fills };
  }

  open(): void {
    this.#open = true;
  }
}

describe("a put of a former life of the Fill that lands late", () => {
  it("before the next life's put of the same slice, with the same bytes, is that slice", async () => {
    const held = holdPutsOf(9);
    const image = await slowImage();
    const readers = await startReaders(image, 2);
    await expect.poll(() => held.length, SOON).toBe(1);
    await resetFill(image.id);
    for (const { key, bytes, options } of held) await bindings.BUCKET.put(key, bytes, options);
    for (const reader of readers) await expectImage(reader, image);
    await settled();
    expect(bytesOf(await takeData(image))).toBeLessThanOrEqual(2 * SIZE);
    await expectKept(image);
  });

  it("before the next life's put of the same slice, with other bytes, ends the attempt", async () => {
    const held = holdPutsOf(9);
    const image = await slowImage();
    const readers = await startReaders(image, 2);
    await expect.poll(() => held.length, SOON).toBe(1);
    await resetFill(image.id);
    for (const { key, bytes, options } of held) {
      bytes[7] = (bytes[7] ?? 0) ^ 1;
      await bindings.BUCKET.put(key, bytes, options);
    }
    for (const reader of readers) {
      const ending = await reader.ended;
      if (ending === "whole") await expectImage(reader, image);
      else expect(ending).toBe("cut");
    }
    await settled();
    await takeData(image);
    await expectNothingLeft(image);
    expect(lines("fill.store-failed").length).toBeGreaterThan(0);
  });

  it("behind the next life's put of the same slice changes nothing", async () => {
    const held = holdPutsOf(9);
    const image = await slowImage();
    const readers = await startReaders(image, 2);
    await expect.poll(() => held.length, SOON).toBe(1);
    await resetFill(image.id);
    await expect.poll(() => slicesOf(image.id), SOON).toContain(9);
    for (const { key, bytes, options } of held) {
      bytes[7] = (bytes[7] ?? 0) ^ 1;
      expect(await bindings.BUCKET.put(key, bytes, options)).toBeNull();
    }
    for (const reader of readers) await expectImage(reader, image);
    await settled();
    await takeData(image);
    await expectKept(image);
  });
});

describe("a put of a dropped attempt that lands late", () => {
  it("is none of the next attempt's, whose readers get their image, and is removed", async () => {
    const held = holdPutsOf(9);
    const image = await slowImage();
    const first = await startReader(image.id);
    await expect.poll(() => held.length, SOON).toBe(1);
    // It waits for the put that hangs, and is asked again of the object that comes then.
    const removing = fillClient(image.id).remove("always");
    await scheduler.wait(100);
    await resetFill(image.id);
    await removing;
    // Before the last look at what the dropped attempt has left: what lands after that is the clean's.
    const starting = startReader(image.id);
    for (const { key, bytes, options } of held) {
      bytes[7] = (bytes[7] ?? 0) ^ 1;
      expect(await bindings.BUCKET.put(key, bytes, options)).not.toBeNull();
    }
    const next = await starting;
    await expectImage(next, image);
    const ending = await first.ended;
    if (ending === "whole") await expectImage(first, image);
    else expect(ending).toBe("cut");
    await settled();
    await takeData(image);
    await expectKept(image);
  });
});

describe("a reader of an attempt that is gone", () => {
  it("that has bytes of it is cut when it asks during the next one, which others get", async () => {
    const image = await slowImage(1_000_000);
    // Its third question is one with bytes sent.
    const holding = new Holding((ask) => ask.sent);
    const old = await startReader(image.id, { env: holding.env });
    await expect.poll(() => holding.held, SOON).toBe(1);
    await fillClient(image.id).remove("always");
    const next = await startReader(image.id);
    await next.has(100_000);
    holding.open();
    expect(await old.ended).toBe("cut");
    expect(old.received).toBeLessThan(SIZE);
    await expectImage(next, image);
    await settled();
    await takeData(image);
    await expectKept(image);
  });

  it("that has no bytes of it yet begins with the next one", async () => {
    const image = await slowImage(1_000_000);
    const holding = new Holding((ask) => ask.attempt !== null && !ask.sent);
    const range = { range: `bytes=${SIZE - 10}-` };
    const joining = startReader(image.id, { env: holding.env, headers: range });
    await scheduler.wait(500);
    await fillClient(image.id).remove("always");
    const next = await startReader(image.id);
    await next.has(100_000);
    holding.open();
    const reader = await joining;
    expect(await reader.ended).toBe("whole");
    expect(reader.received).toBe(10);
    await expectImage(next, image);
    await settled();
    await takeData(image);
    await expectKept(image);
  });

  it("and slow does not move over to the object of another attempt", async () => {
    const image = await slowImage();
    const holding = new Holding((ask) => ask.sent);
    const slow = await startReader(image.id, { env: holding.env });
    await expect.poll(() => holding.held, SOON).toBe(1);
    await fillClient(image.id).remove("always");
    await setFaults(image.id, {});
    await expectImage(await startReader(image.id), image);
    await expectKept(image);
    holding.open();
    expect(await slow.ended).toBe("cut");
    await settled();
    await takeData(image);
  });
});

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

describe("a kept image that is replaced by hand under a Fill that knows it", () => {
  it("is put again from the slices", async () => {
    const image = await createImage({ size: SIZE });
    await expectImage(await startReader(image.id), image);
    await objectPut(image);
    await bindings.BUCKET.put(`images/${image.id}`, new Uint8Array(SIZE));
    for (const reader of await startReaders(image, 4)) await expectImage(reader, image);
    await expectOnce(image);
    await expectKept(image);
    const hit = await startReader(image.id);
    expect(hit.cacheStatus).toBe("glance-edge; hit");
    await expectImage(hit, image);
    await takeData(image);
  });
});
