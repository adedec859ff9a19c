/** A stop against the one put (docs/fills.md): what the put stores goes as well. */

import { afterEach, describe, expect, it } from "vitest";
import { bucketBut, resetFill } from "../support/bindings.ts";
import { CALM, fillEnv } from "../support/fill-env.ts";
import { bytesOf, deleteImage, expectGone, SOON, startReaders } from "../support/fills.ts";
import type { HeldPut } from "../support/holding.ts";
import { keepLines } from "../support/lines.ts";
import { expectImage } from "../support/readers.ts";
import { bindings, createImage, settled, takeCalls } from "../support/scenario.ts";

const SIZE = 3_000_000;
const lines = keepLines();

afterEach(() => {
  fillEnv.changes = CALM;
});

describe("an image that is deleted", () => {
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

  it("while the one put reads its slices: they go from under it, and nobody is told of a failure", async () => {
    const image = await createImage({ size: SIZE });
    const stopped = Promise.withResolvers<void>();
    const ends: Promise<string>[] = [];
    const put = async (...args: Parameters<R2Bucket["put"]>): Promise<R2Object | null> => {
      const [key] = args;
      if (!key.startsWith("images/")) return bindings.BUCKET.put(...args);
      const end = stopped.promise.then(() => bindings.BUCKET.put(...args));
      ends.push(
        end.then(
          () => "stored",
          () => "failed",
        ),
      );
      return end;
    };
    fillEnv.changes = { ...CALM, BUCKET: bucketBut({ put }) };
    const [reader] = await startReaders(image, 1);
    if (reader !== undefined) await expectImage(reader, image);
    await expect.poll(() => ends.length, SOON).toBe(1);
    await deleteImage(image);
    await settled();
    stopped.resolve();
    expect(await Promise.all(ends)).toEqual(["failed"]);
    await scheduler.wait(300);
    expect(lines("fill.put-failed")).toEqual([]);
    await expectGone(image);
    await takeCalls();
  });

  it("while the one put runs, and the object is reset behind that: what the put stores goes as well", async () => {
    const image = await createImage({ size: SIZE });
    // Looked at, not awaited: what goes on in the object's own context would end with it.
    const taken: HeldPut[] = [];
    const put = async (...args: Parameters<R2Bucket["put"]>): Promise<R2Object | null> => {
      const [key, body, options] = args;
      if (!key.startsWith("images/")) return bindings.BUCKET.put(...args);
      taken.push({ key, bytes: new Uint8Array(await new Response(body as ReadableStream).arrayBuffer()), options });
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
});
