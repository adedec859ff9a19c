import { describe, expect, it } from "vitest";
import { DigestMismatch, TooShort } from "../../../src/digest/gate.ts";
import { AloneDownloads, isMismatch } from "../../../src/download/alone.ts";
import { ImageBodyError } from "../../../src/glance/image-body.ts";

const T = 1_000_000;
/** Of a client that stays. */
const here = new AbortController().signal;
const DAY = 86_400_000;
const TEN_MINUTES = 600_000;

describe("places for downloads that go alone", () => {
  it("are as many as there may be, and each is given back", () => {
    const alone = new AloneDownloads();
    const back = alone.take(2, T, null, here);
    expect(alone.take(2, T, null, here)).not.toBeNull();
    expect(alone.take(2, T, null, here)).toBeNull();
    back?.();
    back?.();
    expect(alone.take(2, T, null, here)).not.toBeNull();
    expect(alone.take(2, T, null, here)).toBeNull();
  });

  it("are free when their clients leave, also when nobody hears of an end", () => {
    const alone = new AloneDownloads();
    const client = new AbortController();
    expect(alone.take(1, T, () => 0, client.signal)).not.toBeNull();
    expect(alone.take(1, T, () => 0, here)).toBeNull();
    client.abort();
    expect(alone.take(1, T, () => 0, here)).not.toBeNull();
  });

  it("are kept as long as bytes move, and free two and a half minutes after the last", () => {
    const alone = new AloneDownloads();
    let bytes = 0;
    alone.take(1, T, () => bytes, here);
    const isFull = (now: number) => alone.take(1, now, null, here) === null;
    for (const now of [1, 100_000, 200_000]) {
      bytes = now;
      expect(isFull(T + now)).toBe(true);
    }
    expect(isFull(T + 349_999)).toBe(true);
    expect(isFull(T + 350_000)).toBe(false);
  });

  it("of what is not counted are free after an hour", () => {
    const alone = new AloneDownloads();
    alone.take(1, T, null, here);
    expect(alone.take(1, T + 3_599_999, null, here)).toBeNull();
    expect(alone.take(1, T + 3_600_000, null, here)).not.toBeNull();
  });

  it("have no bound with 0", () => {
    const alone = new AloneDownloads();
    for (let n = 0; n < 1_000; n++) expect(alone.take(0, T, null, here)).not.toBeNull();
  });
});

describe("parts of an image whose data went wrong alone", () => {
  it("are refused for a day", () => {
    const alone = new AloneDownloads();
    expect(alone.rangesFrom("a")).toBe(0);
    alone.mismatched("a", T);
    expect([alone.rangesFrom("a"), alone.rangesFrom("b")]).toEqual([T + DAY, 0]);
  });

  it("are refused for ten minutes more when it agreed, and no longer however often it agrees", () => {
    const alone = new AloneDownloads();
    alone.agreed("a", T);
    expect(alone.rangesFrom("a")).toBe(0);
    alone.mismatched("a", T);
    alone.agreed("a", T + 5);
    alone.agreed("a", T + 500);
    expect(alone.rangesFrom("a")).toBe(T + 5 + TEN_MINUTES);
    alone.mismatched("a", T + 1_000);
    expect(alone.rangesFrom("a")).toBe(T + 1_000 + DAY);
  });

  it("are forgotten, the oldest first, where there are too many", () => {
    const alone = new AloneDownloads();
    for (let n = 0; n <= 4_096; n++) alone.mismatched(`image ${n}`, T);
    expect([alone.rangesFrom("image 0"), alone.rangesFrom("image 1")]).toEqual([0, T + DAY]);
  });
});

it.each([
  [new DigestMismatch("x"), true],
  [new ImageBodyError({ reason: "long" }), true],
  [new ImageBodyError({ reason: "short" }), false],
  [new TooShort("x"), false],
  [new Error("x"), false],
])("%s is a mismatch: %s", (cause, is) => {
  expect(isMismatch(cause)).toBe(is);
});
