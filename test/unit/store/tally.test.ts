import { describe, expect, it } from "vitest";
import { Tally } from "../../../src/store/tally.ts";

const HOUR_MS = 3_600_000;
const T = 500_000 * HOUR_MS;

describe("what an isolate counts", () => {
  it("is one entry for each hour, figure and label", () => {
    const tally = new Tally();
    tally.add("downloads", "hit", T);
    tally.add("downloads", "hit", T + HOUR_MS - 1);
    tally.add("downloads", "miss", T);
    tally.add("downloads", "hit", T + HOUR_MS);
    tally.add("bytes", "cache", T, 2 ** 40);
    tally.add("bytes", "cache", T, 5);
    expect(tally.take(T)).toEqual([
      { hour: 500_000, figure: "downloads", label: "hit", value: 2 },
      { hour: 500_000, figure: "downloads", label: "miss", value: 1 },
      { hour: 500_001, figure: "downloads", label: "hit", value: 1 },
      { hour: 500_000, figure: "bytes", label: "cache", value: 2 ** 40 + 5 },
    ]);
    expect(tally.take(T)).toEqual([]);
  });

  it("is nothing for nothing", () => {
    const tally = new Tally();
    tally.add("bytes", "origin", T, 0);
    expect(tally.take(T)).toEqual([]);
  });

  it("comes back when it could not be written, in the hour that it belongs to", () => {
    const tally = new Tally();
    tally.add("downloads", "hit", T);
    const lost = tally.take(T);
    tally.add("downloads", "hit", T + 1);
    tally.add("downloads", "hit", T + HOUR_MS);
    tally.giveBack(lost);
    expect(tally.take(T)).toEqual([
      { hour: 500_000, figure: "downloads", label: "hit", value: 2 },
      { hour: 500_001, figure: "downloads", label: "hit", value: 1 },
    ]);
  });

  it("is written a while after it was counted, and once in five seconds at the most", () => {
    const tally = new Tally();
    expect(tally.planWrite(T)).toBe(2_500);
    expect(tally.planWrite(T + 20)).toBeNull();
    tally.take(T + 2_500);
    expect(tally.planWrite(T + 2_510)).toBe(4_990);
  });
});

describe("a time that was measured", () => {
  it.each([
    [0, "5"],
    [5, "5"],
    [5.4, "5"],
    [6, "10"],
    [30_000, "30000"],
    [30_001, "+Inf"],
    [10 ** 9, "+Inf"],
  ])("of %i ms is in the bucket %s, and in the sum", (ms, bucket) => {
    const tally = new Tally();
    tally.observe("store_first_byte_ms", ms, T);
    const counted = Object.fromEntries(tally.take(T).map(({ label, value }) => [label, value]));
    expect(counted).toEqual({ [bucket]: 1, ...(ms === 0 ? {} : { sum: Math.round(ms) }) });
  });

  it("is none below zero: a clock may be set back", () => {
    const tally = new Tally();
    tally.observe("store_first_byte_ms", -50, T);
    expect(tally.take(T)).toMatchObject([{ label: "5", value: 1 }]);
  });
});
