import { expect, it } from "vitest";
import { Seldom } from "../../../src/lib/seldom.ts";

it("what happens often is told at its first time and then once in a while, each thing by itself", () => {
  const seldom = new Seldom();
  const due = (what: string, now: number) => seldom.isDue(what, 1_000, now);
  expect([due("a", 0), due("a", 999), due("b", 999), due("a", 1_000), due("a", 1_999), due("b", 2_000)]).toEqual([
    true,
    false,
    true,
    true,
    false,
    true,
  ]);
});
