/** A queued image that is stored: listed for two seconds from when it was queued, and nothing else. */
import { beforeEach, describe, expect, it } from "vitest";
import { LISTED_MS } from "../../../src/store/queue.ts";
import { catalog, emptyStore, queue } from "../../support/store.ts";

const QUEUED = 10_000;
const keep = (imageId: string, now: number) => catalog.keep({ imageId, attempt: "x", size: 1 }, now);

/** Queued and begun, and stored half a second later. */
beforeEach(async () => {
  await emptyStore();
  await queue.add("a", QUEUED);
  expect(await queue.claim(1, QUEUED)).toEqual(["a"]);
  await keep("a", QUEUED + 500);
});

describe("a queued image that is stored at once", () => {
  it("is listed as queued for two seconds after it was queued", async () => {
    expect(await queue.ids(QUEUED + 500)).toEqual(["a"]);
    expect(await queue.ids(QUEUED + LISTED_MS - 1)).toEqual(["a"]);
    expect(await queue.ids(QUEUED + LISTED_MS)).toEqual([]);
  });

  it("holds no place, is never begun again, and counts nowhere", async () => {
    await queue.add("b", QUEUED + 1);
    expect(await queue.claim(1, QUEUED + 600)).toEqual(["b"]);
    expect(await queue.counts()).toEqual({ queued: 1, failing: 0 });
    expect((await queue.list()).map(({ imageId }) => imageId)).toEqual(["b"]);
    expect(await queue.startedUntil(QUEUED + 600)).toEqual(["b"]);
  });

  it("is not begun again though it is taken out of the cache before its row has gone", async () => {
    await catalog.remove("a");
    expect(await queue.claim(1, QUEUED + 600)).toEqual([]);
    expect(await queue.claim(1, QUEUED + LISTED_MS)).toEqual([]);
    expect(await queue.has("a")).toBe(false);
  });

  it("is gone when the queue is looked at later", async () => {
    await queue.claim(1, QUEUED + LISTED_MS - 1);
    expect(await queue.has("a")).toBe(true);
    await queue.claim(1, QUEUED + LISTED_MS);
    expect(await queue.has("a")).toBe(false);
  });

  it("is not told to end when the queue is cleared, nor counted", async () => {
    expect(await queue.clearIdle()).toEqual({ removed: 0, busy: [] });
    expect(await queue.has("a")).toBe(false);
  });

  it("can be queued anew when it is out of the cache again, as if for the first time", async () => {
    await queue.add("a", QUEUED + 600);
    expect(await queue.claim(1, QUEUED + 600)).toEqual([]);
    await catalog.remove("a");
    await queue.add("b", QUEUED + 650);
    await queue.add("a", QUEUED + 700);
    expect(await queue.claim(9, QUEUED + 800)).toEqual(["b", "a"]);
    expect(await queue.list()).toMatchObject([{ imageId: "b" }, { imageId: "a", queuedAt: QUEUED + 700 }]);
  });

  it("can be queued anew when it was cleared, though its Fill has not removed it yet", async () => {
    await catalog.clear(QUEUED + 600);
    await queue.add("a", QUEUED + 700);
    expect(await queue.claim(1, QUEUED + 700)).toEqual(["a"]);
  });
});

it("one that is stored later than that leaves the queue at once", async () => {
  await queue.add("b", QUEUED);
  await keep("b", QUEUED + LISTED_MS);
  expect(await queue.has("b")).toBe(false);
});
