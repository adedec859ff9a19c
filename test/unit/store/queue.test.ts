import { beforeEach, describe, expect, it } from "vitest";
import { backoffMs } from "../../../src/store/queue.ts";
import { capped } from "../../support/store.ts";
import { catalog, emptied, index, queue, room } from "../../support/stored.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const add = async (...imageIds: string[]) => {
  for (const [index, imageId] of imageIds.entries()) await queue.add(imageId, index + 1);
};
const only = async () => {
  const [image, ...others] = await queue.list();
  expect(others).toEqual([]);
  return image;
};

beforeEach(emptied);

describe("the queue", () => {
  it("is in the order in which images were added", async () => {
    await add("c", "a", "b");
    expect((await queue.list()).map(({ imageId }) => imageId)).toEqual(["c", "a", "b"]);
    expect((await queue.list())[0]).toEqual({
      imageId: "c",
      queuedAt: 1,
      attempts: 0,
      notBefore: 0,
      lastError: null,
      startedAt: null,
    });
  });

  it("knows what is in it", async () => {
    await add("a");
    expect(await queue.has("a")).toBe(true);
    expect(await queue.has("b")).toBe(false);
  });

  it("takes no image that is stored already", async () => {
    await index("a", 1);
    await queue.add("a", 1);
    expect(await queue.list()).toEqual([]);
    await catalog.remove("a");
    await queue.add("a", 3);
    expect(await queue.has("a")).toBe(true);
  });

  it("lets an image be taken out, started or not, once", async () => {
    await add("a", "b");
    await queue.claim(1, 10);
    expect(await queue.remove("a")).toBe(true);
    expect(await queue.remove("a")).toBe(false);
    expect(await queue.remove("b")).toBe(true);
    expect(await queue.remove("never")).toBe(false);
    expect(await queue.list()).toEqual([]);
  });

  it("loses many in one call, which counts those that were there", async () => {
    await add("a", "b", "c");
    expect(await queue.removeAll(["a", "never", "c"])).toBe(2);
    expect(await queue.ids(100)).toEqual(["b"]);
    expect(await queue.removeAll([])).toBe(0);
  });

  it("is emptied of what nothing was done for yet, and tells of the rest", async () => {
    await add("started", "waits", "failed", "has-room", "stored-by-another");
    await queue.claim(1, 10);
    await queue.failed("failed", "no luck", 10);
    await room.take({ imageId: "has-room", attempt: "g", size: 1 }, capped(100), 10);
    await room.take({ imageId: "other", attempt: "h", size: 1 }, capped(100), 10);
    const { removed, busy } = await queue.clearIdle();
    expect([removed, busy.sort()]).toEqual([3, ["has-room", "started"]]);
    expect((await queue.ids(100)).sort()).toEqual(busy);
    expect(await queue.clearIdle()).toMatchObject({ removed: 0 });
  });

  it("counts its images, and those that have failed", async () => {
    expect(await queue.counts()).toEqual({ queued: 0, failing: 0 });
    await add("a", "b", "c");
    await queue.failed("b", "no luck", 10);
    expect(await queue.counts()).toEqual({ queued: 3, failing: 1 });
  });

  it("tells which images are under way since when", async () => {
    await add("a", "b", "c");
    await queue.claim(1, 10);
    await queue.claim(2, 20);
    expect(await queue.startedUntil(9)).toEqual([]);
    expect(await queue.startedUntil(10)).toEqual(["a"]);
    expect(await queue.startedUntil(99)).toEqual(["a", "b"]);
  });

  it("gives a page of itself behind any place, also one that is gone, in the order of time and then of ids", async () => {
    for (const [imageId, at] of [
      ["d", 2],
      ["b", 1],
      ["a", 2],
      ["c", 2],
    ] as const)
      await queue.add(imageId, at);
    const page = async (at: number, imageId: string, limit: number) =>
      (await queue.page({ at, imageId }, limit)).map((image) => image.imageId);
    expect(await page(-1, "", 2)).toEqual(["b", "a"]);
    expect(await page(2, "a", 2)).toEqual(["c", "d"]);
    expect(await page(1, "bb", 9)).toEqual(["a", "c", "d"]);
    expect(await page(2, "d", 2)).toEqual([]);
    expect(await queue.ids(100)).toEqual(["b", "a", "c", "d"]);
  });
});

describe("an image that is added again", () => {
  it("keeps its place and its failures", async () => {
    await add("a", "b");
    await queue.failed("a", "no luck", 10);
    await queue.add("a", 99);
    expect((await queue.list())[0]).toMatchObject({
      imageId: "a",
      queuedAt: 1,
      attempts: 1,
      lastError: "no luck",
    });
  });

  it("may be tried at once", async () => {
    await add("a");
    await queue.failed("a", "no luck", 10);
    expect(await queue.claim(1, 11)).toEqual([]);
    await queue.add("a", 11);
    expect(await queue.claim(1, 11)).toEqual(["a"]);
  });

  it("is not started a second time when it is under way", async () => {
    await add("a");
    await queue.claim(9, 10);
    await queue.add("a", 11);
    expect(await queue.claim(9, 12)).toEqual([]);
    expect(await only()).toMatchObject({ startedAt: 10 });
  });
});

describe("claiming", () => {
  it("starts the oldest, no more of them than may be under way", async () => {
    await add("d", "c", "b", "a");
    expect(await queue.claim(2, 10)).toEqual(["d", "c"]);
    expect((await queue.list()).map(({ startedAt }) => startedAt)).toEqual([10, 10, null, null]);
    expect(await queue.claim(2, 11)).toEqual([]);
    expect(await queue.claim(3, 12)).toEqual(["b"]);
  });

  it("goes by the time at which images were queued, in its answer as well", async () => {
    await queue.add("b", 30);
    await queue.add("c", 10);
    await queue.add("a", 20);
    expect(await queue.claim(3, 99)).toEqual(["c", "a", "b"]);
  });

  it("starts the next one when one has ended, in whatever way", async () => {
    await add("a", "b", "c", "d");
    await queue.claim(1, 10);
    await index("a", 2_100);
    expect(await queue.claim(1, 11)).toEqual(["b"]);
    await queue.failed("b", "no luck", 12);
    expect(await queue.claim(1, 13)).toEqual(["c"]);
    await queue.remove("c");
    expect(await queue.claim(1, 14)).toEqual(["d"]);
  });

  it("starts nothing when fewer may be under way than are", async () => {
    await add("a", "b", "c");
    await queue.claim(3, 10);
    await queue.add("d", 11);
    expect(await queue.claim(1, 12)).toEqual([]);
  });

  it("passes over what has to wait, to the very moment", async () => {
    await add("a", "b");
    await queue.postpone("a", "not active", 100);
    expect(await queue.claim(1, 99)).toEqual(["b"]);
    expect(await queue.claim(2, 99)).toEqual([]);
    expect(await queue.claim(2, 100)).toEqual(["a"]);
  });

  it("gives each image to one of several who claim at the same time", async () => {
    await add(..."abcdefgh");
    const claims = await Promise.all([1, 2, 3, 4].map(() => queue.claim(5, 10)));
    expect(claims.flat().sort()).toEqual([..."abcde"]);
  });

  it("finds nothing in an empty queue", async () => {
    expect(await queue.claim(9, 10)).toEqual([]);
  });
});

describe("a failure", () => {
  it("counts, is told, and makes the image wait the longer the more there were", async () => {
    await add("a");
    const waits: number[] = [];
    for (let attempt = 1; attempt <= 9; attempt++) {
      await queue.failed("a", `error ${attempt}`, 1_000);
      const image = await only();
      expect(image).toMatchObject({ attempts: attempt, lastError: `error ${attempt}`, startedAt: null });
      waits.push(((image?.notBefore ?? 0) - 1_000) / MINUTE);
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
  });

  it("gives its place to the next one", async () => {
    await add("a", "b");
    await queue.claim(1, 10);
    await queue.failed("a", "no luck", 11);
    expect(await queue.claim(1, 12)).toEqual(["b"]);
    await queue.remove("b");
    expect(await queue.claim(1, 10 + MINUTE)).toEqual([]);
    expect(await queue.claim(1, 11 + MINUTE)).toEqual(["a"]);
  });

  it("of an image that was taken out meanwhile brings it not back", async () => {
    await queue.failed("a", "no luck", 10);
    expect(await queue.list()).toEqual([]);
  });

  it("never makes an image wait for longer than an hour", () => {
    expect(backoffMs(0)).toBe(MINUTE);
    expect(backoffMs(1)).toBe(MINUTE);
    expect(backoffMs(2)).toBe(2 * MINUTE);
    expect(backoffMs(7)).toBe(HOUR);
    expect(backoffMs(5_000)).toBe(HOUR);
  });
});

describe("postponing", () => {
  it("counts no attempt, and tells why", async () => {
    await add("a");
    await queue.failed("a", "no luck", 0);
    await queue.claim(1, HOUR);
    await queue.postpone("a", "the image's status is queued", 2 * HOUR);
    expect(await only()).toEqual({
      imageId: "a",
      queuedAt: 1,
      attempts: 1,
      notBefore: 2 * HOUR,
      lastError: "the image's status is queued",
      startedAt: null,
    });
  });

  it("of an image that was taken out meanwhile brings it not back", async () => {
    await queue.postpone("a", "not active", 10);
    expect(await queue.list()).toEqual([]);
  });
});

describe("an image that is kept a moment after it was queued", () => {
  const QUEUED = 10_000;
  const listed = (now: number) => queue.ids(now);

  it.each([
    ["started", 1],
    ["not started", 0],
  ])("is listed until two seconds after it was queued: %s", async (_, concurrency) => {
    await queue.add("a", QUEUED);
    await queue.claim(concurrency, QUEUED + 1);
    await index("a", QUEUED + 400);
    expect(await listed(QUEUED + 400)).toEqual(["a"]);
    expect(await listed(QUEUED + 1_999)).toEqual(["a"]);
    expect(await listed(QUEUED + 2_000)).toEqual([]);
  });

  it("is listed no more, whenever the list is looked at", async () => {
    await queue.add("a", QUEUED);
    await index("a", QUEUED + 400);
    expect(await listed(QUEUED + 99_000)).toEqual([]);
    expect(await queue.counts()).toEqual({ queued: 0, failing: 0 });
  });

  it("that was kept later is not listed at all", async () => {
    await queue.add("a", QUEUED);
    await index("a", QUEUED + 2_000);
    expect(await listed(QUEUED + 2_000)).toEqual([]);
  });

  it("holds no place, and is never started", async () => {
    await queue.add("a", QUEUED);
    await queue.add("b", QUEUED + 1);
    expect(await queue.claim(1, QUEUED + 2)).toEqual(["a"]);
    await index("a", QUEUED + 400);
    expect(await queue.claim(1, QUEUED + 401)).toEqual(["b"]);
    expect(await queue.claim(9, QUEUED + 402)).toEqual([]);
    expect(await listed(QUEUED + 403)).toEqual(["a", "b"]);
  });

  it("that never had its turn, since a client's download brought it, is never started", async () => {
    await queue.add("a", QUEUED);
    await index("a", QUEUED + 400);
    expect(await queue.claim(9, QUEUED + 401)).toEqual([]);
    expect(await listed(QUEUED + 402)).toEqual(["a"]);
  });

  it("is removed by the next claim as well", async () => {
    await queue.add("a", QUEUED);
    await index("a", QUEUED + 400);
    await queue.claim(9, QUEUED + 2_000);
    expect(await queue.has("a")).toBe(false);
  });

  it("is no other one's business", async () => {
    await queue.add("a", QUEUED);
    await queue.add("b", QUEUED);
    await index("a", QUEUED + 400);
    expect(await listed(QUEUED + 5_000)).toEqual(["b"]);
  });

  it("can be taken out of the queue at once", async () => {
    await queue.add("a", QUEUED);
    await index("a", QUEUED + 400);
    expect(await queue.remove("a")).toBe(true);
    expect(await listed(QUEUED + 401)).toEqual([]);
  });
});
