import { runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { Fill } from "../../src/fill/fill.ts";
import { Catalog } from "../../src/store/catalog.ts";
import { SliceStore } from "../../src/store/slices.ts";
import { fillStub } from "../support/bindings.ts";
import { pullByHand, subjectOf } from "../support/hand-puller.ts";
import { type Reader, startReader } from "../support/readers.ts";
import {
  ask,
  asks,
  bindings,
  createImage,
  expectCalls,
  goesOn,
  type Image,
  isCommitted,
  setFaults,
  settled,
  storedSlices,
  trueBytes,
} from "../support/scenario.ts";

const SIZE = 3_000_000;
const slices = (image: Image) => storedSlices(`blobs/sha512-${image.os_hash_value}/`);

/** Deletes the image through the edge. */
async function remove(image: Image): Promise<void> {
  const response = await ask(`/v2/images/${image.id}`, { method: "DELETE" });
  expect(response.status).toBe(204);
  await response.arrayBuffer();
}

/** Right to the end, or visibly broken. */
async function expectNeverWrong(reader: Reader, image: Image): Promise<void> {
  if ((await reader.ended) === "whole") expect(await reader.sha512()).toBe(image.os_hash_value);
  else expect(reader.received).toBeLessThan(image.size);
}

/** Nothing of the image is there, and nothing comes behind. */
async function expectGone(image: Image): Promise<void> {
  await expect.poll(() => slices(image), { timeout: 5_000 }).toEqual([]);
  await scheduler.wait(1_500);
  expect(await slices(image)).toEqual([]);
  expect(await isCommitted(image.id)).toBe(false);
}

describe("deleting an image while it is being filled", () => {
  it.each([0.02, 0.5, 0.9])("at %f of it stops the fill and takes away what it stored", async (part) => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 1_500_000 });
    const readers = await Promise.all([startReader(image.id), startReader(image.id), startReader(image.id)]);
    await Promise.all(readers.map((reader) => reader.has(Math.min(SIZE * part, 2_097_152))));
    expect(await slices(image)).not.toEqual([]);
    await remove(image);
    for (const reader of readers) await expectNeverWrong(reader, image);
    await settled();
    await expectGone(image);
    const three = readers.flatMap(() => asks(image.id));
    // Those who had read along try to prove what they have by the origin's bytes, which are gone as well.
    const data = `GET /v2/images/${image.id}/file`;
    const seen = await expectCalls(...three, `DELETE /v2/images/${image.id}`, `*${data}`, goesOn(image.id));
    expect(seen.filter((call) => call.path.endsWith("/file") && call.status === 200)).toHaveLength(1);
  });

  it("lets the download that pulls come to its right end, from the origin alone", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 1_500_000 });
    const puller = await startReader(image.id);
    await puller.has(SIZE / 2);
    await remove(image);
    expect(await puller.ended).toBe("whole");
    expect(await puller.sha512()).toBe(image.os_hash_value);
    await settled();
    await expectGone(image);
    await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file`, `DELETE /v2/images/${image.id}`);
  });

  it.each([0, 2, 5, 10, 20, 40, 80])("%i ms after its last slice was stored leaves nothing behind", async (ms) => {
    const image = await createImage({ size: 500_000 });
    const puller = await pullByHand(image);
    for (let slice = 0; slice < 7; slice++) await puller.store(slice);
    const last = puller.store(7);
    await scheduler.wait(ms);
    await remove(image);
    await last;
    await settled();
    await scheduler.wait(500);
    expect(await isCommitted(image.id)).toBe(false);
    expect(await slices(image).then((keys) => keys.filter((key) => !key.endsWith("/7")))).toEqual([]);
    await expectCalls(`DELETE /v2/images/${image.id}`);
  });

  it("takes away what a puller stores behind it", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 3_000_000 });
    const puller = await startReader(image.id);
    await puller.has(600_000);
    // While slices are on their way all the time.
    await remove(image);
    await expectNeverWrong(puller, image);
    await settled();
    await expectGone(image);
    await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file`, `DELETE /v2/images/${image.id}`);
  });

  it("while its commit is on the way to the catalog takes the commit back", async () => {
    const image = await createImage({ size: 50_000 });
    const committing = Promise.withResolvers<void>();
    const evicted = Promise.withResolvers<void>();
    // A catalog whose second write, the commit, arrives only when the eviction is through. The first takes the room.
    let writes = 0;
    const batch = async (statements: D1PreparedStatement[]) => {
      if (writes++ === 1) {
        committing.resolve();
        await evicted.promise;
      }
      return bindings.CATALOG.batch(statements);
    };
    const late = new Proxy(bindings.CATALOG, {
      get(target, name) {
        if (name === "batch") return batch;
        const value: unknown = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    await runInDurableObject(fillStub(image.id), async (_, state) => {
      const fill = new Fill(state, { ...bindings, CATALOG: late });
      const errand = { target: { api: "v2", imageId: image.id }, headers: [] } as const;
      const question = { reader: "reader", generation: null, need: { what: "slice", slice: 0 } } as const;
      const turn = await fill.turn(subjectOf(image), question, 0, errand);
      if (turn.do !== "pull") throw new Error(`told to ${turn.do}`);
      const put = await new SliceStore(bindings.BUCKET).put(turn.blob, turn.generation, 0, await trueBytes(image.id));
      await fill.stored(turn.lease, turn.generation, turn.blob, 0, put.etag, false);
      const alarm = fill.alarm();
      await committing.promise;
      await fill.stop();
      await new Catalog(bindings.CATALOG).evict(image.id, Date.now());
      evicted.resolve();
      await alarm;
    });
    expect(await isCommitted(image.id)).toBe(false);
    expect(await slices(image)).toEqual([]);
  });
});
