import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Turn } from "../../src/fill/protocol.ts";
import { LINGER_MS } from "../../src/fill/rules.ts";
import { fillClient, fillStub } from "../support/bindings.ts";
import { expectNotStored, file, generations, slicesOf, smallEdge, storedIds } from "../support/cap.ts";
import { pullByHand, subjectOf } from "../support/hand-puller.ts";
import { catalogBut } from "../support/metered-bucket.ts";
import { expectImage, startReader } from "../support/readers.ts";
import {
  ask,
  asks,
  bindings,
  committed,
  createImage,
  expectCalls,
  goesOn,
  type Image,
  setFaults,
  settled,
} from "../support/scenario.ts";

const MB = 1_000_000;
const NOTHING = { committed: 0, filling: 0, removing: 0 };
const SOON = { timeout: 5_000 };

/** A catalog that lets its first batch, which asks for room, through only once it is told so. */
function slowCatalog() {
  const opened = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  let first = true;
  const catalog = catalogBut(async (statements) => {
    if (first) {
      first = false;
      asked.resolve();
      await opened.promise;
    }
    return bindings.CATALOG.batch(statements);
  });
  return { catalog, open: opened.resolve, asked: asked.promise };
}

/** What rings the image's Fill next, ms since the epoch. */
const alarmOf = (image: Image) => runInDurableObject(fillStub(image.id), (_, { storage }) => storage.getAlarm());

/** So much time passes, and the alarm rings. */
async function passes(image: Image, ms: number): Promise<void> {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + ms });
  expect(await runDurableObjectAlarm(fillStub(image.id))).toBe(true);
}

afterEach(() => vi.useRealTimers());

const question = { reader: "reader", generation: null, need: { what: "slice", slice: 0 } } as const;
const errandFor = (image: Image) => ({ target: { api: "v2", imageId: image.id }, headers: [] }) as const;

describe("a catalog that fails when a fill asks for its room", () => {
  it("leaves the download to the origin, and nothing is stored", async () => {
    const CATALOG = catalogBut(() => Promise.reject(new Error("out of order")));
    const edge = await smallEdge(4 * MB, { CATALOG });
    await expectNotStored(edge, await createImage({ size: MB }), "catalog-unavailable");
    expect(await generations.room()).toEqual(NOTHING);
  });

  it("once is asked again by the next download", async () => {
    let failures = 1;
    const CATALOG = catalogBut((statements) =>
      failures-- > 0 ? Promise.reject(new Error("out of order")) : bindings.CATALOG.batch(statements),
    );
    const edge = await smallEdge(4 * MB, { CATALOG });
    const image = await createImage({ size: MB });
    await expectNotStored(edge, image, "catalog-unavailable");
    const reader = await startReader(image.id, { env: edge.env });
    expect(reader.cacheStatus).toBe("glance-edge; fwd=uri-miss; stored");
    await expectImage(reader, image);
    await committed(image.id);
    await expectCalls(...asks(image.id), file(image), goesOn(image.id));
  });
});

describe("a catalog that is slow when a fill asks for its room", () => {
  it("makes its readers wait, and nobody fail", async () => {
    const { catalog, open } = slowCatalog();
    const edge = await smallEdge(4 * MB, { CATALOG: catalog });
    const image = await createImage({ size: MB });
    const readers = await Promise.all([1, 2, 3].map(() => startReader(image.id, { env: edge.env })));
    expect(new Set(readers.map((reader) => reader.cacheStatus))).toEqual(
      new Set(["glance-edge; fwd=uri-miss; collapsed"]),
    );
    await scheduler.wait(300);
    expect(readers.map((reader) => reader.received)).toEqual([0, 0, 0]);
    expect(edge.log).toEqual([]);
    open();
    for (const reader of readers) await expectImage(reader, image);
    await settled();
    await committed(image.id);
    await expectCalls(...asks(image.id), ...asks(image.id), ...asks(image.id), file(image), goesOn(image.id));
  });

  it("without an end lets them go on from the origin after STALL_SECONDS", async () => {
    const { catalog } = slowCatalog();
    const edge = await smallEdge(4 * MB, { CATALOG: catalog, STALL_SECONDS: "2" });
    const image = await createImage({ size: MB });
    const reader = await startReader(image.id, { env: edge.env });
    expect(reader.cacheStatus).toBe("glance-edge; fwd=uri-miss; collapsed");
    await expectImage(reader, image);
    expect(reader.endedAt - reader.askedAt).toBeGreaterThan(1_500);
    expect(reader.endedAt - reader.askedAt).toBeLessThan(5_000);
    await settled();
    await expectCalls(...asks(image.id), file(image));
    const next = await startReader(image.id, { env: edge.env });
    expect(next.cacheStatus).toBe("glance-edge; fwd=uri-miss; detail=catalog-unavailable");
    await expectImage(next, image);
    await settled();
    await expectCalls(...asks(image.id), file(image));
    expect(edge.log).toEqual([]);
  });

  it("gives back the room of an image that was evicted meanwhile", async () => {
    const { catalog, open, asked } = slowCatalog();
    await smallEdge(4 * MB, { CATALOG: catalog });
    const image = await createImage({ size: MB });
    const turn = fillClient(image.id).turn(subjectOf(image), question, 5_000, errandFor(image));
    await asked;
    await fillStub(image.id).stop();
    open();
    expect(await turn).toEqual({ do: "alone", why: "fill-stopped" });
    await expect.poll(() => generations.room(), SOON).toEqual(NOTHING);
  });
});

describe("a fill whose reader leaves before it has anything", () => {
  async function expectForgotten(image: Image): Promise<void> {
    const alarm = await alarmOf(image);
    expect(alarm).toBeGreaterThan(Date.now());
    expect(alarm).toBeLessThanOrEqual(Date.now() + LINGER_MS);
    await passes(image, LINGER_MS);
    expect(await fillClient(image.id).progress()).toEqual({ fill: "none" });
    expect(await generations.room()).toEqual(NOTHING);
    expect(await alarmOf(image)).toBeNull();
  }

  it("while room is being made gives it back a minute later, when nobody else came", async () => {
    const { catalog, open, asked } = slowCatalog();
    await smallEdge(4 * MB, { CATALOG: catalog });
    const image = await createImage({ size: MB });
    const answers: Turn[] = [];
    const turn = fillClient(image.id).turn(subjectOf(image), question, 5_000, errandFor(image));
    void turn.then((answer) => answers.push(answer));
    await asked;
    await fillStub(image.id).left(question.reader);
    open();
    await expect.poll(() => answers, SOON).toEqual([{ do: "wait" }]);
    expect(await generations.room()).toEqual({ ...NOTHING, filling: MB });
    await expectForgotten(image);
  });

  it("or for which there is no room is forgotten a minute later", async () => {
    await smallEdge(MB);
    const holder = await createImage({ size: MB });
    await pullByHand(holder);
    const image = await createImage({ size: MB });
    const answer = await fillClient(image.id).turn(subjectOf(image), question, 0, errandFor(image));
    expect(answer).toEqual({ do: "alone", why: "no-room" });
    await fillStub(holder.id).stop();
    await expectForgotten(image);
  });

  it("keeps its room for one who comes within that minute", async () => {
    await smallEdge(MB);
    const image = await createImage({ size: MB });
    const { turn } = await pullByHand(image);
    await fillStub(image.id).release(turn.lease, turn.generation, false);
    await runDurableObjectAlarm(fillStub(image.id));
    expect(await generations.room()).toEqual({ ...NOTHING, filling: MB });
    expect((await pullByHand(image)).turn.generation).toBe(turn.generation);
  });
});

describe("the room of a fill", () => {
  it("stays its own when its object is put away half way, and is not taken twice", async () => {
    const edge = await smallEdge(MB);
    const image = await createImage({ size: MB });
    await setFaults(image.id, { rate: MB });
    const reader = await startReader(image.id, { env: edge.env });
    await reader.has(300_000);
    await evictDurableObject(fillStub(image.id));
    expect(await generations.room()).toEqual({ ...NOTHING, filling: MB });
    const late = await startReader(image.id, { env: edge.env });
    await expectImage(reader, image);
    await expectImage(late, image);
    await settled();
    await committed(image.id);
    expect(await generations.room()).toEqual({ ...NOTHING, committed: MB });
    await expectCalls(...asks(image.id), ...asks(image.id), file(image), goesOn(image.id));
  });

  it("is asked for again by one that another puller takes over after that", async () => {
    const edge = await smallEdge(MB);
    const image = await createImage({ size: MB });
    const puller = await pullByHand(image);
    await puller.store(0);
    const [before] = await generations.filling(9);
    await evictDurableObject(fillStub(image.id));
    // The lease is over, so that the next reader needs the room which only the catalog remembers.
    await fillStub(image.id).release(puller.turn.lease, puller.turn.generation, true);
    const reader = await startReader(image.id, { env: edge.env });
    await expectImage(reader, image);
    await committed(image.id);
    expect(await slicesOf(image).then((keys) => keys.every((key) => key.includes(before?.generation ?? "none")))).toBe(
      true,
    );
    expect(await generations.room()).toEqual({ ...NOTHING, committed: MB });
    await settled();
    await expectCalls(...asks(image.id), goesOn(image.id));
  });

  it("of a generation that was dropped is given back", async () => {
    const edge = await smallEdge(4 * MB);
    const image = await createImage({ size: MB });
    await setFaults(image.id, { corruptAt: 10 });
    const reader = await startReader(image.id, { env: edge.env });
    expect(await reader.ended).toBe("cut");
    await settled();
    await expect.poll(() => generations.room(), SOON).toEqual(NOTHING);
    expect(await slicesOf(image)).toEqual([]);
    expect(edge.bytes()).toBe(0);
    await expectCalls(...asks(image.id), file(image));
  });

  it("of an image that is deleted half way is given back", async () => {
    const edge = await smallEdge(4 * MB);
    const image = await createImage({ size: 2 * MB });
    await setFaults(image.id, { rate: 1.5 * MB });
    const reader = await startReader(image.id, { env: edge.env });
    await reader.has(MB);
    expect(await generations.room()).toEqual({ ...NOTHING, filling: 2 * MB });
    const response = await ask(`/v2/images/${image.id}`, { method: "DELETE", env: edge.env });
    expect(response.status).toBe(204);
    expect(await generations.room()).toEqual(NOTHING);
    expect(await reader.ended).toBe("whole");
    await settled();
    await expect.poll(() => slicesOf(image), SOON).toEqual([]);
    expect(await generations.room()).toEqual(NOTHING);
    expect(await storedIds()).toEqual(new Set());
    await expectCalls(...asks(image.id), file(image), `DELETE /v2/images/${image.id}`);
  });

  it("of a fill whose content another image has stored already is given back when its readers are through", async () => {
    const edge = await smallEdge(4 * MB);
    const [one, two] = [await createImage({ size: MB, seed: 5 }), await createImage({ size: MB, seed: 5 })];
    for (const image of [one, two]) {
      const reader = await startReader(image.id, { env: edge.env });
      await expectImage(reader, image);
      await committed(image.id);
      await expectCalls(...asks(image.id), file(image), goesOn(image.id));
    }
    expect(await generations.room()).toEqual({ ...NOTHING, committed: MB, filling: MB });
    await fillStub(two.id).stop();
    expect(await generations.room()).toEqual({ ...NOTHING, committed: MB });
    expect(edge.bytes()).toBe(MB);
  });
});
