import { afterEach, describe, expect, it } from "vitest";
import { bucketBut, fillClient, resetFill, sliceOf } from "../support/bindings.ts";
import { CALM, fillEnv } from "../support/fill-env.ts";
import {
  bytesOf,
  expectKept,
  expectNothingLeft,
  keysOf,
  objectPut,
  SOON,
  slicesOf,
  startReaders,
  takeData,
} from "../support/fills.ts";
import { keepLines } from "../support/lines.ts";
import { manage } from "../support/manage.ts";
import { expectImage, startReader } from "../support/readers.ts";
import { ask, bindings, createImage, type Image, setFaults, settled, takeCalls } from "../support/scenario.ts";
import { TOMBSTONE_MS } from "../support/times.ts";

const SIZE = 3_000_000;
keepLines();

afterEach(() => {
  fillEnv.changes = CALM;
});

async function deleteImage(image: Image): Promise<void> {
  const response = await ask(`/v2/images/${image.id}`, { method: "DELETE" });
  expect(response.status).toBe(204);
}

async function expectGone(image: Image): Promise<void> {
  await expectNothingLeft(image);
  const response = await ask(`/v2/images/${image.id}/file`);
  expect(response.status).toBe(404);
  await response.arrayBuffer();
}

describe("an image that is deleted", () => {
  it("while it is being filled: its readers get all of it or a cut, and nothing is left", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 2_000_000 });
    const readers = await startReaders(image, 3);
    await Promise.all(readers.map((reader) => reader.has(SIZE / 3)));
    await deleteImage(image);
    for (const reader of readers) {
      const ending = await reader.ended;
      expect(["whole", "cut"]).toContain(ending);
      if (ending === "whole") await expectImage(reader, image);
    }
    await settled();
    await expectGone(image);
    await takeCalls();
  });

  it("while the origin has not sent a byte yet is answered at once", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { delayMs: 4_000 });
    const joining = startReaders(image, 2);
    await expect.poll(async () => (await fillClient(image.id).progress()).fill, SOON).toBe("running");
    const begun = Date.now();
    await deleteImage(image);
    await fillClient(image.id).remove("always");
    expect(Date.now() - begun).toBeLessThan(3_000);
    for (const reader of await joining) await reader.ended;
    await settled();
    await expectGone(image);
    await takeCalls();
  });

  it("while the one put runs: what the put stores goes as well", async () => {
    const image = await createImage({ size: SIZE });
    const stopped = Promise.withResolvers<void>();
    let putting = false;
    const put = async (...args: Parameters<R2Bucket["put"]>): Promise<R2Object | null> => {
      const [key, body, options] = args;
      if (!key.startsWith("images/")) return bindings.BUCKET.put(...args);
      // It has all bytes in its hands, and is slow to store them.
      const bytes = await new Response(body as ReadableStream).arrayBuffer();
      putting = true;
      await stopped.promise;
      return bindings.BUCKET.put(key, bytes, options);
    };
    fillEnv.changes = { ...CALM, BUCKET: bucketBut({ put }) };
    const [reader] = await startReaders(image, 1);
    if (reader !== undefined) await expectImage(reader, image);
    await expect.poll(() => putting, SOON).toBe(true);
    await deleteImage(image);
    await settled();
    stopped.resolve();
    await scheduler.wait(300);
    await expectGone(image);
    expect(
      bytesOf((await takeCalls()).filter(({ status, range }) => status === 200 && range === null)),
    ).toBeGreaterThan(0);
  });

  it("while the one put runs, and the object is reset behind that: what the put stores goes as well", async () => {
    const image = await createImage({ size: SIZE });
    // Looked at, not awaited: what goes on in the object's own context would end with it.
    const taken: LatePut[] = [];
    const put = async (...args: Parameters<R2Bucket["put"]>): Promise<R2Object | null> => {
      const [key, body, options] = args;
      if (!key.startsWith("images/")) return bindings.BUCKET.put(...args);
      taken.push({ key, bytes: await new Response(body as ReadableStream).arrayBuffer(), options });
      return new Promise<never>(() => undefined);
    };
    fillEnv.changes = { ...CALM, BUCKET: bucketBut({ put }) };
    const [reader] = await startReaders(image, 1);
    if (reader !== undefined) await expectImage(reader, image);
    await expect.poll(() => taken.length, SOON).toBe(1);
    await deleteImage(image);
    await settled();
    await resetFill(image.id);
    // By R2 itself, which does not know that the object is gone.
    for (const { key, bytes, options } of taken) {
      expect(await bindings.BUCKET.put(key, bytes, options)).not.toBeNull();
    }
    await expectGone(image);
    await takeCalls();
  });

  it("and made again under the same id is filled anew, with what it is now", async () => {
    const image = await createImage({ size: SIZE });
    const [reader] = await startReaders(image, 1);
    if (reader !== undefined) await expectImage(reader, image);
    await expectKept(image);
    await deleteImage(image);
    await settled();
    await expectGone(image);
    await takeCalls();
  });
});

describe("an image that is taken out of the cache", () => {
  it("while clients read its fill is not taken from them", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 2_000_000 });
    const readers = await startReaders(image, 2);
    await Promise.all(readers.map((reader) => reader.has(300_000)));
    expect(await fillClient(image.id).remove("unless-read")).toBe("busy");
    for (const reader of readers) await expectImage(reader, image);
    await settled();
    expect(bytesOf(await takeData(image))).toBe(SIZE);
    await expectKept(image);
    expect(await fillClient(image.id).remove("unless-read")).toBe("removed");
    await expectNothingLeft(image);
    expect(await fillClient(image.id).remove("always")).toBe("nothing");
  });

  it("and that R2 does not remove is not said to be gone, and goes later by itself", async () => {
    const image = await createImage({ size: SIZE });
    let broken = false;
    const remove = async (keys: string | string[]) => {
      if (broken && [keys].flat().some((key) => key.startsWith("images/"))) throw new Error("R2 is down");
      return bindings.BUCKET.delete(keys);
    };
    fillEnv.changes = { ...CALM, BUCKET: bucketBut({ delete: remove }) };
    const [reader] = await startReaders(image, 1);
    if (reader !== undefined) await expectImage(reader, image);
    await expectKept(image);
    await takeData(image);
    broken = true;
    expect(await fillClient(image.id).remove("always")).toBe(null);
    const removal = await manage(`DELETE /v2/cache/${image.id}`);
    expect(removal.status).toBe(503);
    await removal.arrayBuffer();
    expect(await keysOf(image.id)).toEqual([`images/${image.id}`]);
    broken = false;
    await expectNothingLeft(image);
  });

  it("and that R2 can't be rid of does not keep the next attempt from being kept", async () => {
    const image = await createImage({ size: SIZE });
    let broken = false;
    const remove = async (keys: string | string[]) => {
      if (broken && [keys].flat().some((key) => key.startsWith(`fills/${image.id}/`))) throw new Error("R2 is down");
      return bindings.BUCKET.delete(keys);
    };
    fillEnv.changes = { ...CALM, BUCKET: bucketBut({ delete: remove }) };
    const [first] = await startReaders(image, 1);
    if (first !== undefined) await expectImage(first, image);
    await objectPut(image);
    broken = true;
    // Its slices are there, and stay.
    expect(await fillClient(image.id).remove("always")).toBe("removed");
    expect((await slicesOf(image.id)).length).toBeGreaterThan(0);
    await scheduler.wait(TOMBSTONE_MS);
    const [next] = await startReaders(image, 1);
    if (next !== undefined) await expectImage(next, image);
    next?.leave();
    await objectPut(image);
    await takeData(image);
    broken = false;
    await expectKept(image);
  });

  it("leaves nothing of a put that lands after its slices were removed", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 2_000_000 });
    const late: LatePut[] = [];
    const put = async (...args: Parameters<R2Bucket["put"]>): Promise<R2Object | null> => {
      const [key, body, options] = args;
      if (!key.startsWith("fills/") || sliceOf(key) !== 9) return bindings.BUCKET.put(...args);
      late.push({ key, bytes: (body as Uint8Array<ArrayBuffer>).slice().buffer, options });
      throw new Error("the answer was lost");
    };
    fillEnv.changes = { ...CALM, BUCKET: bucketBut({ put }) };
    const reader = await startReader(image.id);
    await expect.poll(() => late.length, SOON).toBeGreaterThan(0);
    expect(await fillClient(image.id).remove("always")).toBe("removed");
    await expect.poll(() => slicesOf(image.id), SOON).toEqual([]);
    for (const { key, bytes, options } of late.slice(0, 1)) await bindings.BUCKET.put(key, bytes, options);
    expect(await slicesOf(image.id)).toEqual([9]);
    await expectNothingLeft(image);
    const ending = await reader.ended;
    if (ending === "whole") await expectImage(reader, image);
    else expect(ending).toBe("cut");
    await settled();
    await takeData(image);
  });
});

/** A put that R2 has taken in, and does later. */
interface LatePut {
  readonly key: string;
  readonly bytes: ArrayBuffer;
  readonly options: R2PutOptions | undefined;
}
