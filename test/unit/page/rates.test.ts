/** How fast a fill is, from states that came one after the other. */
import { beforeEach, expect, it } from "vitest";
import { Rates } from "../../../page/src/rates.ts";

let rates: Rates;
const saw = (at: number, stored: number | null) => rates.saw([{ image_id: "a", stored }], at);

beforeEach(() => {
  rates = new Rates();
});

it("one look tells nothing, two tell the rate between them", () => {
  saw(0, 100);
  expect(rates.of("a")).toBeNull();
  saw(2_000, 300);
  expect(rates.of("a")).toBe(100);
});

it("looks back over the last twenty seconds, since what is stored grows in steps", () => {
  for (let at = 0; at <= 60_000; at += 2_000) saw(at, at < 40_000 ? 0 : at - 40_000);
  expect(rates.of("a")).toBe(1_000);
});

it("nothing comes: the rate is nothing", () => {
  saw(0, 100);
  saw(30_000, 100);
  saw(32_000, 100);
  expect(rates.of("a")).toBe(0);
});

it("a fill that began anew, or a clock that was set back, begins anew", () => {
  saw(0, 1_000);
  saw(2_000, 10);
  expect(rates.of("a")).toBeNull();
  saw(1_000, 20);
  expect(rates.of("a")).toBeNull();
});

it("a look without an answer says nothing, and a fill that ended is forgotten", () => {
  saw(0, 0);
  saw(1_000, null);
  saw(2_000, 2_000);
  expect(rates.of("a")).toBe(1_000);
  rates.saw([], 3_000);
  saw(4_000, 5_000);
  expect(rates.of("a")).toBeNull();
});
