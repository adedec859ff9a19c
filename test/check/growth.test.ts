/** The table of growth is what bench/results give, and whether workerd's memory counts as flat. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Growth, withGrowth } from "../../bench/growth.ts";
import { judge } from "../load/memory.ts";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

describe("the index as it grows", () => {
  it("is told by docs/costs.md as the bench measured it", () => {
    const growth = JSON.parse(read("bench/results/growth.json")) as Growth;
    expect(withGrowth(read("docs/costs.md"), growth)).toBe(read("docs/costs.md"));
  });
});

describe("workerd's memory under load", () => {
  const samples = (mib: readonly number[]) => mib.map((held) => ({ held }));
  const minute = (mib: number) => Array.from({ length: 6 }, () => mib);

  it("is flat when the last minute is as the first one, whatever the first ten seconds were", () => {
    expect(judge(samples([90, 100, ...minute(400), ...minute(430)]))).toEqual({ first: 400, last: 430, flat: true });
  });

  it("is not when it grew by more than it breathes", () => {
    expect(judge(samples([90, 100, ...minute(400), ...minute(450), ...minute(520)])).flat).toBe(false);
  });

  it("is beside what it was before in a run of some seconds", () => {
    expect(judge(samples([90, 114])).flat).toBe(true);
    expect(judge(samples([90, 600])).flat).toBe(false);
  });

  it("is judged by the halves of a short run", () => {
    expect(judge(samples([90, 100, 300, 310, 600, 610]))).toEqual({ first: 310, last: 610, flat: false });
  });
});
