/** What the charts show of the hours that were counted. */
import { expect, it } from "vitest";
import { bucketed, saved, sum, type TrafficHour } from "../../../page/src/figures.ts";

const HOUR = 3_600_000;
const NOW = 500_000 * HOUR + 1_800_000;
const hour = (ago: number, part: Partial<TrafficHour>): TrafficHour => ({
  hour: (500_000 - ago) * HOUR,
  downloads: {},
  bytes: {},
  fills: {},
  ...part,
});

it("a day has 24 hours, the current one last, those without traffic included", () => {
  const buckets = bucketed([hour(0, { downloads: { hit: 2 } }), hour(23, { downloads: { miss: 1 } })], 24, NOW);
  expect(buckets.map(({ at }) => at)).toEqual(Array.from({ length: 24 }, (_, at) => (500_000 - 23 + at) * HOUR));
  expect(buckets.map(({ downloads }) => downloads)).toEqual([1, ...Array(22).fill(0), 2]);
});

it("a month has 30 days, which have all of their hours", () => {
  const hours = Array.from({ length: 29 * 24 }, (_, ago) => hour(ago, { bytes: { cache: 1 } }));
  const buckets = bucketed(hours, 720, NOW);
  expect(buckets).toHaveLength(30);
  expect(buckets.reduce((all, { cache }) => all + cache, 0)).toBe(29 * 24);
  expect(buckets.slice(1, -1).every(({ cache }) => cache >= 23)).toBe(true);
});

it("what lies before is left out, and so is an hour that the clock has not reached", () => {
  const buckets = bucketed([hour(24, { fills: { kept: 1 } }), hour(-1, { fills: { kept: 1 } })], 24, NOW);
  expect(buckets.map(({ kept }) => kept).slice(0, -1)).toEqual(Array(23).fill(0));
});

it("a hit is what the origin's link did not carry; a refusal and a 304 are no download", () => {
  const downloads = {
    hit: 5,
    collapsed: 3,
    miss: 1,
    alone: 1,
    forwarded: 1,
    refused: 50,
    "not-modified": 50,
    failed: 50,
  };
  expect(sum(0, [hour(0, { downloads })])).toMatchObject({ hits: 8, downloads: 11 });
});

it("fills that failed are told from those that found no room or were stopped", () => {
  const fills = { kept: 4, mismatch: 1, failed: 2, stopped: 3, "no-room": 5 };
  expect(sum(0, [hour(0, { fills })])).toMatchObject({ kept: 4, failed: 3, stopped: 8 });
});

it("saved is what came from the cache less what the origin had to send, and never less than nothing", () => {
  expect([saved({ cache: 10, origin: 4 }), saved({ cache: 1, origin: 4 })]).toEqual([6, 0]);
});
