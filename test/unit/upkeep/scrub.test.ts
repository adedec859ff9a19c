/** What the scrub finds. In which order: ./scrub-turns.test.ts. */

import { beforeEach, describe, expect, it } from "vitest";
import { PartStore } from "../../../src/store/parts.ts";
import { scrub } from "../../../src/upkeep/scrub.ts";
import { bucketBut } from "../../support/bindings.ts";
import { bindings } from "../../support/env.ts";
import { keepLines } from "../../support/lines.ts";
import {
  catalog,
  contentOf,
  emptyStore,
  imageIds,
  indexOnly,
  keysOf,
  objectKeys,
  objects,
  putByHand,
  room,
  storeImage,
  storeInParts,
  storeObject,
} from "../../support/store.ts";
import {
  NEVER,
  NOW,
  rotten,
  type UpkeepTools,
  unreachableFills,
  unreadableObjects,
  upkeepTools,
} from "../../support/upkeep.ts";

const lines = keepLines();
const run = (scrubBytes = 1_000, other: Partial<UpkeepTools> = {}) => scrub(upkeepTools({ scrubBytes }, other), NEVER);
const verifiedAt = async () => {
  const { results } = await bindings.CATALOG.prepare("SELECT verified_at FROM images ORDER BY image_id").all<{
    verified_at: number;
  }>();
  return results.map((row) => row.verified_at);
};

beforeEach(emptyStore);

describe("the scrub", () => {
  it("reads again what is kept, whatever the digest, in one object or in parts, and notes when", async () => {
    await storeImage("a", { algorithm: "sha256", size: 100 });
    await storeImage("b", { algorithm: "sha512" });
    await storeImage("c", { algorithm: "md5" });
    await storeImage("d", { algorithm: "sha1" });
    await storeInParts("e", 7, { size: 50 });
    expect(await run()).toEqual({ verified: 5, bad: 0, bytes: 180 });
    expect(await verifiedAt()).toEqual([NOW, NOW, NOW, NOW, NOW]);
  });

  it("does nothing with 0 bytes, or with an empty store", async () => {
    expect(await run()).toEqual({ verified: 0, bad: 0, bytes: 0 });
    await storeImage("a");
    expect(await run(0)).toEqual({ verified: 0, bad: 0, bytes: 0 });
    expect(await verifiedAt()).toEqual([0]);
  });
});

describe("a bad copy", () => {
  const wrong = { kind: "image", attempt: "by hand", algorithm: "sha512", hex: "0".repeat(128), rangesFrom: "0" };

  it("whose bytes are not what its digest says is removed and reported, and the others are verified", async () => {
    const image = await storeImage("a", { at: 1_000 });
    await storeImage("b", { at: 2_000 });
    expect(await run(1_000, { objects: rotten("a") })).toEqual({ verified: 1, bad: 1, bytes: 20 });
    expect(await imageIds()).toEqual(["b"]);
    expect(await objectKeys()).toEqual(["images/b"]);
    expect(await room.sums()).toEqual({ kept: 10, filling: 0 });
    expect(lines("scrub.bad-image")).toMatchObject([{ level: "error", image_id: "a", attempt: image.attempt }]);
    expect(await verifiedAt()).toEqual([NOW]);
  });

  it.each([
    ["with its size", 10],
    ["shorter", 5],
    ["longer", 20],
  ])("that somebody has put in its place, %s and with metadata that look right, is removed", async (_, size) => {
    await storeImage("a");
    await bindings.BUCKET.put("images/a", contentOf("another", size), { customMetadata: wrong });
    expect(await run()).toEqual({ verified: 0, bad: 1, bytes: 10 });
    expect(await imageIds()).toEqual([]);
    expect(await objectKeys()).toEqual([]);
  });

  it("that is no Fill's at all is removed", async () => {
    await storeImage("a");
    await putByHand("a", "0123456789");
    expect(await run()).toMatchObject({ verified: 0, bad: 1 });
    expect(await objectKeys()).toEqual([]);
  });

  it.each<[string, (key: string) => Promise<unknown>]>([
    ["lacks one", (key) => bindings.BUCKET.delete(key)],
    ["has another one", (key) => bindings.BUCKET.put(key, "1234")],
    ["has a short one", (key) => bindings.BUCKET.put(key, "1")],
  ])("in parts that %s is removed with all of them", async (_, damage) => {
    const { attempt } = await storeInParts("a", 4);
    await damage(`parts/a/${attempt}/1`);
    expect(await run()).toEqual({ verified: 0, bad: 1, bytes: 10 });
    expect(await keysOf("a")).toEqual([]);
    expect(await imageIds()).toEqual([]);
  });

  it("in parts whose manifest can't be read as one is removed", async () => {
    await storeInParts("a", 4);
    const { customMetadata = {} } = (await bindings.BUCKET.head("images/a")) ?? {};
    await putByHand("a", "{}", customMetadata);
    expect(await run()).toMatchObject({ bad: 1 });
    expect(await keysOf("a")).toEqual([]);
  });

  it("that can't be removed now, since its Fill can't be reached, is told of and found again", async () => {
    await storeImage("a");
    expect(await run(1_000, { objects: rotten("a"), fills: unreachableFills })).toMatchObject({ bad: 1 });
    expect(await objectKeys()).toEqual(["images/a"]);
    expect(await run(1_000, { objects: rotten("a") })).toMatchObject({ bad: 1 });
    expect(await objectKeys()).toEqual([]);
    expect(lines("scrub.bad-image")).toHaveLength(2);
  });
});

describe("a copy is not bad", () => {
  it("because the store does not answer: it stays, and the others are verified", async () => {
    const { attempt } = await storeImage("a", { at: 1_000 });
    await storeImage("b", { at: 2_000 });
    const unreadable = unreadableObjects((key) => key === "images/a");
    expect(await run(1_000, { objects: unreadable })).toEqual({ verified: 1, bad: 0, bytes: 20 });
    expect(await imageIds()).toEqual(["a", "b"]);
    expect(lines("scrub.unreadable")).toMatchObject([{ image_id: "a", attempt, error: "Error: R2 is down" }]);
    expect(await verifiedAt()).toEqual([1_000, NOW]);
  });

  it("because it is not there: its row is the clean's", async () => {
    await indexOnly(["a"]);
    expect(await run()).toEqual({ verified: 0, bad: 0, bytes: 1 });
    expect(await imageIds()).toEqual(["a"]);
  });

  it("because it was removed while it was read", async () => {
    await storeInParts("a", 4);
    const removed = bucketBut({
      get: async (key: string, options: R2GetOptions) => {
        await bindings.BUCKET.delete(await keysOf("a"));
        await catalog.remove("a");
        return bindings.BUCKET.get(key, options);
      },
    });
    const parts = new PartStore(removed);
    expect(await run(1_000, { parts })).toEqual({ verified: 0, bad: 0, bytes: 10 });
  });

  it("because it was removed and stored again while it was read: the new one stays", async () => {
    await storeImage("a");
    let again = "";
    const renewed = rotten("a");
    const head = renewed.head.bind(renewed);
    renewed.head = async (imageId) => {
      await objects.remove("a");
      again = (await storeObject("a")).attempt;
      return head(imageId);
    };
    expect(await run(1_000, { objects: renewed })).toMatchObject({ verified: 0, bad: 0 });
    expect(await objects.head("a")).toMatchObject({ attempt: again });
  });
});
