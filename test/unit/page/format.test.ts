/** How the page writes numbers and times. */
import { describe, expect, it } from "vitest";
import { ago, bytes, counted, duration, percent } from "../../../page/src/format.ts";

const S = 1_000;
const MIN = 60 * S;
const H = 60 * MIN;
const D = 24 * H;

describe("bytes", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "0.98 KiB"],
    [1024, "1.00 KiB"],
    [1_048_575, "1.00 MiB"],
    [41_943_040, "40.0 MiB"],
    [137_438_953_472, "128 GiB"],
    [999.5 * 2 ** 30, "0.98 TiB"],
    [2 ** 60, "1024 PiB"],
  ])("%d is %s", (value, text) => expect(bytes(value)).toBe(text));
});

describe("a share", () => {
  it.each([
    [0, 0, "–"],
    [1, 0, "–"],
    [0, 10, "0 %"],
    [10, 10, "100 %"],
    [9_999, 10_000, ">99 %"],
    [1, 10_000, "<1 %"],
    [1, 3, "33 %"],
    [300, 100, "300 %"],
  ])("%d of %d is %s", (part, whole, text) => expect(percent(part, whole)).toBe(text));
});

describe("a length of time", () => {
  it.each([
    [-5 * S, "0 s"],
    [45 * S, "45 s"],
    [89 * S, "89 s"],
    [5 * MIN, "5 min"],
    [2 * H, "2 h"],
    [2 * H + 5 * MIN, "2 h 5 min"],
    [3 * H - 1, "3 h"],
    [30 * H, "30 h"],
    [3 * D, "3 d"],
    [Number.MAX_SAFE_INTEGER, "104,249,991 d"],
  ])("%d ms is %s", (ms, text) => expect(duration(ms)).toBe(text));

  it("that is nearly nothing, or has not begun by the edge's clock, is now", () => {
    expect([ago(10_000, 11_000), ago(12_000, 11_000), ago(0, 65 * S)]).toEqual(["just now", "just now", "65 s ago"]);
  });
});

it("one is one, and others are many", () => {
  expect([0, 1, 5_000].map((value) => counted(value, "image"))).toEqual(["0 images", "1 image", "5,000 images"]);
});
