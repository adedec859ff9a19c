import { describe, expect, it } from "vitest";
import { DigestMismatch, TooShort } from "../../../src/digest/gate.ts";
import { AloneDownloads, isMismatch } from "../../../src/download/alone.ts";
import { ImageBodyError } from "../../../src/glance/image-body.ts";

const T = 1_000_000;
const DAY = 86_400_000;
const TEN_MINUTES = 600_000;

describe("places for downloads that go alone", () => {
  it("are as many as there may be, and each is given back", () => {
    const alone = new AloneDownloads();
    const back = alone.take(2);
    expect(alone.take(2)).not.toBeNull();
    expect(alone.take(2)).toBeNull();
    back?.();
    expect(alone.take(2)).not.toBeNull();
  });

  it("have no bound with 0", () => {
    const alone = new AloneDownloads();
    for (let n = 0; n < 1_000; n++) expect(alone.take(0)).not.toBeNull();
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
