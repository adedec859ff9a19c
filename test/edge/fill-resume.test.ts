import { abortAllDurableObjects, evictDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { LEASE_MS } from "../../src/fill/rules.ts";
import { sliceStart } from "../../src/store/slice-plan.ts";
import { fillStub } from "../support/bindings.ts";
import { callsOnErrand, pullByHand } from "../support/hand-puller.ts";
import { dataBytes, dataRanges, expectImage, startReader } from "../support/readers.ts";
import {
  asks,
  committed,
  createImage,
  expectCalls,
  goesOn,
  NO_RANDOM_ACCESS,
  setFaults,
  settled,
} from "../support/scenario.ts";

const SIZE = 6_000_000;
const LEAD = 64 * 1024;
/** What an origin that is cut off has sent and nobody read. */
const IN_FLIGHT = 1_500_000;

describe("a fill whose object was evicted and whose puller is gone", () => {
  it.each<[string, Record<string, boolean>, readonly string[]]>([
    ["pulls only the rest", {}, ["rest"]],
    ["skips what it has where the origin ignores Range", { ignoreRange: true }, ["whole"]],
    ["skips what it has where the origin can't read from the middle", NO_RANDOM_ACCESS, ["refused", "whole"]],
  ])("is resumed by the next download, which %s", async (_, origin, asked) => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 3_000_000, ...origin });
    const first = await startReader(image.id);
    await first.has(SIZE / 2);
    await evictDurableObject(fillStub(image.id));
    // The rights of the one who leaves were in the old object's memory only: nobody can go on in the background.
    first.leave();
    await first.ended;
    await settled();
    const before = await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file`);
    expect(dataBytes(before)).toBeLessThan(SIZE / 2 + IN_FLIGHT);
    await setFaults(image.id, origin);

    const second = await startReader(image.id);
    await expectImage(second, image);
    await settled();
    await committed(image.id);
    const again = asked.includes("refused") ? [`GET /v2/images/${image.id}/file`] : [];
    const after = await expectCalls(...asks(image.id), goesOn(image.id), ...again);
    const [range, ...others] = dataRanges(after);
    expect(others).toEqual(again.map(() => null));
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1]);
    expect(from).toBeGreaterThanOrEqual(SIZE / 2 - 512 * 1024);
    expect(dataBytes(after)).toBe(asked.includes("whole") ? SIZE : SIZE - from);
    const hit = await startReader(image.id);
    expect(hit.cacheStatus).toBe("glance-edge; hit");
    await expectImage(hit, image);
    await expectCalls(...asks(image.id));
  });

  it.each([
    ["", {}],
    [", where the origin can't read from the middle", NO_RANDOM_ACCESS],
  ])("is resumed from what was written down, were the object killed without a warning%s", async (_, origin) => {
    const image = await createImage({ size: SIZE });
    const dead = await pullByHand(image);
    await setFaults(image.id, origin);
    const stored = 11;
    for (let slice = 0; slice < stored; slice++) await dead.store(slice);
    await abortAllDurableObjects();
    await scheduler.wait(LEASE_MS + 200);
    const next = await startReader(image.id);
    await expectImage(next, image);
    await settled();
    await committed(image.id);
    const start = sliceStart({ size: SIZE, sliceBytes: 8 * LEAD }, stored);
    const again = origin === NO_RANDOM_ACCESS ? [`GET /v2/images/${image.id}/file`] : [];
    const seen = await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file bytes=${start}-`, ...again);
    expect(dataBytes(seen)).toBe(again.length > 0 ? SIZE : SIZE - start);
    expect(await callsOnErrand(image)).toEqual([]);
  });

  it("is verified and committed when all was stored already, without the origin and without anybody's rights", async () => {
    const image = await createImage({ size: 6 * LEAD });
    const dead = await pullByHand(image);
    for (let slice = 0; slice < 5; slice++) await dead.store(slice);
    await evictDurableObject(fillStub(image.id));
    await dead.store(5);
    await committed(image.id);
    expect(await callsOnErrand(image)).toEqual([]);
  });
});

describe("a fill whose object is evicted while a client pulls and others read", () => {
  it("goes on: the puller keeps its lease, and all get the image", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 3_000_000 });
    const readers = await Promise.all([startReader(image.id), startReader(image.id), startReader(image.id)]);
    await Promise.all(readers.map((reader) => reader.has(SIZE / 3)));
    await evictDurableObject(fillStub(image.id));
    for (const reader of readers) await expectImage(reader, image);
    await settled();
    await committed(image.id);
    const seen = await expectCalls(...readers.flatMap(() => asks(image.id)), `GET /v2/images/${image.id}/file`);
    expect(dataBytes(seen)).toBe(SIZE);
  });

  it("and killed: all get the image, though the Fill can't be asked for a moment", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 3_000_000 });
    const readers = await Promise.all([startReader(image.id), startReader(image.id), startReader(image.id)]);
    await Promise.all(readers.map((reader) => reader.has(SIZE / 3)));
    await abortAllDurableObjects();
    for (const reader of readers) await expectImage(reader, image);
    await settled();
    await expectCalls(...readers.flatMap(() => asks(image.id)), `GET /v2/images/${image.id}/file`, goesOn(image.id));
  });
});
