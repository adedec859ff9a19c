/** The clean beside real fills: those under way lose nothing, and what is left of those that are over goes. */

import { runInDurableObject } from "cloudflare:test";
import { beforeEach, describe, expect, it } from "vitest";
import { clean } from "../../src/upkeep/clean.ts";
import { fillClient, fillStub } from "../support/bindings.ts";
import { fillEnv } from "../support/fill-env.ts";
import { RANDOM_ACCESS, SOON } from "../support/fills.ts";
import { keepLines } from "../support/lines.ts";
import { expectImage, startReader } from "../support/readers.ts";
import {
  asks,
  bindings,
  cacheImage,
  committed,
  createImage,
  download,
  expectCalls,
  goesOn,
  isCommitted,
  setFaults,
  settled,
} from "../support/scenario.ts";
import { emptyCatalog, emptyStore, keysOf, putByHand, room } from "../support/store.ts";
import { NEVER, upkeepTools } from "../support/upkeep.ts";

const SIZE = 600_000;
const NOTHING = { attempts: 0, released: 0, rows: 0, adopted: 0, foreign: 0, finished: true };
const run = () => clean(upkeepTools({}, { now: Date.now }), NEVER);
const file = (id: string) => `GET /v2/images/${id}/file`;

keepLines();
beforeEach(async () => {
  fillEnv.changes = {};
  await emptyStore();
});

describe("a fill that is under way", () => {
  it("is served right by a clean that never stops, from the first byte to the last slice's end", async () => {
    const image = await createImage({ size: 3 * SIZE });
    // Not at its end before some cleans are.
    await setFaults(image.id, { rate: 200_000 });
    const reader = await startReader(image.id);
    let cleans = 0;
    const end = Promise.all([expectImage(reader, image), committed(image.id)]).then(() => "end");
    while ((await Promise.race([end, scheduler.wait(1)])) !== "end") {
      expect(await run()).toMatchObject({ attempts: 0, released: 0, rows: 0, foreign: 0 });
      if (++cleans === 4) await setFaults(image.id, { rate: 2_000_000 });
    }
    expect(cleans).toBeGreaterThan(3);
    expect(await run()).toEqual(NOTHING);
    await expectCalls(...asks(image.id), file(image.id));
    const hit = await download(image.id);
    await hit.arrayBuffer();
    expect(hit.headers.get("cache-status")).toBe("glance-edge; hit");
    await expectCalls(...asks(image.id));
  });

  it("loses nothing to a clean though D1 has forgotten all of it, and is kept with its room", async () => {
    const image = await createImage({ size: 2 * SIZE });
    await setFaults(image.id, { rate: 1_000_000 });
    const reader = await startReader(image.id);
    await reader.has(100_000);
    await emptyCatalog();
    expect(await run()).toEqual(NOTHING);
    await expectImage(reader, image);
    await committed(image.id);
    await expect.poll(() => room.sums(), SOON).toEqual({ kept: image.size, filling: 0 });
    await expectCalls(...asks(image.id), file(image.id));
  });

  // Where each try begins at byte 0 the attempt has soon cost three images, and ends.
  it.runIf(RANDOM_ACCESS)("that waits to go on, after the origin has failed it, keeps what it has stored", async () => {
    const image = await createImage({ size: 5 * SIZE });
    await setFaults(image.id, { cutAt: 4 * SIZE });
    const reader = await startReader(image.id);
    await expect.poll(async () => (await keysOf(image.id)).length, SOON).toBeGreaterThanOrEqual(8);
    reader.leave();
    await settled();
    expect(await run()).toEqual(NOTHING);
    expect((await keysOf(image.id)).length).toBeGreaterThanOrEqual(8);
    expect(await fillClient(image.id).remove("always")).toBe("removed");
    await expect.poll(() => keysOf(image.id), SOON).toEqual([]);
    await expectCalls(...asks(image.id), `*${file(image.id)}`, goesOn(image.id));
  });

  it("goes on though a foreign object stands in its image's place, which it replaces", async () => {
    const image = await createImage({ size: 5 * SIZE });
    await setFaults(image.id, { rate: 1_000_000 });
    const reader = await startReader(image.id);
    await reader.has(50_000);
    await putByHand(image.id, "something else");
    expect(await run()).toEqual({ ...NOTHING, foreign: 1 });
    await putByHand(image.id, "something else");
    await expectImage(reader, image);
    await committed(image.id);
    expect((await bindings.BUCKET.head(`images/${image.id}`))?.size).toBe(5 * SIZE);
    await expectCalls(...asks(image.id), file(image.id));
  });
});

describe("what a fill has left", () => {
  it("after its commit is in order, while it still answers those who read along", async () => {
    const image = await createImage({ size: SIZE });
    await cacheImage(image.id);
    expect(await run()).toEqual(NOTHING);
  });

  it("when its object was lost with all that it knew goes: slices, and room", async () => {
    const image = await createImage({ size: 2 * SIZE });
    await setFaults(image.id, { rate: 1_000_000 });
    const reader = await startReader(image.id);
    await reader.has(100_000);
    const stub = fillStub(image.id);
    // As if its storage had been deleted: the next object knows nothing of it.
    await runInDurableObject(stub, async (_, ctx) => {
      await ctx.storage.deleteAll();
      ctx.abort("lost");
    }).catch(() => undefined);
    reader.leave();
    await settled();
    const gone = async () => {
      await run();
      return [...(await keysOf(image.id)), (await room.sums()).filling];
    };
    await expect.poll(gone, SOON).toEqual([0]);
    expect(await isCommitted(image.id)).toBe(false);
    await expectCalls(...asks(image.id), `*${file(image.id)}`, goesOn(image.id));
  });

  it("of an attempt that is over goes: a slice that came too late", async () => {
    const image = await createImage({ size: SIZE });
    await cacheImage(image.id);
    await bindings.BUCKET.put(`fills/${image.id}/another/1`, "late");
    expect(await run()).toEqual({ ...NOTHING, attempts: 1 });
    expect((await keysOf(image.id)).filter((key) => key.includes("another"))).toEqual([]);
  });
});
