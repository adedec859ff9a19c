import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  partsOf,
  planSlices,
  type SlicePlan,
  sliceAt,
  sliceCount,
  sliceLength,
  sliceStart,
} from "../../../src/store/slice-plan.ts";

const MIB = 2 ** 20;
const lengths = (plan: SlicePlan) => Array.from({ length: sliceCount(plan) }, (_, slice) => sliceLength(plan, slice));

describe("an image is cut into", () => {
  it.each([
    ["one byte", 1, [1]],
    ["a lead slice", 2, [2]],
    ["a lead slice and a byte", 3, [2, 1]],
    ["the eight lead slices", 16, [2, 2, 2, 2, 2, 2, 2, 2]],
    ["all but a byte of them", 15, [2, 2, 2, 2, 2, 2, 2, 1]],
    ["them and a byte", 17, [2, 2, 2, 2, 2, 2, 2, 2, 1]],
    ["them and a slice", 32, [2, 2, 2, 2, 2, 2, 2, 2, 16]],
    ["them, a slice and a byte", 33, [2, 2, 2, 2, 2, 2, 2, 2, 16, 1]],
    ["them and two slices", 48, [2, 2, 2, 2, 2, 2, 2, 2, 16, 16]],
  ])("%s: %i bytes in slices of 16", (_, size, expected) => {
    expect(lengths({ size, sliceBytes: 16 })).toEqual(expected);
  });

  it("no more slices than 8 and one for each 8 MiB: 10 GiB", () => {
    expect(sliceCount({ size: 10 * 1024 * MIB, sliceBytes: 8 * MIB })).toBe(8 + 1279);
  });
});

describe("the size of slices", () => {
  const GIB = 1024 * MIB;
  it.each([
    ["the setting's, for a small image", 1, 8, 8],
    ["the setting's, up to so many of them", 64 * GIB, 8, 8],
    ["twice the setting's, above", 64 * GIB + 1, 8, 16],
    ["at most 16 MiB, however large the image is", 1024 * GIB, 8, 16],
    ["doubled as often as it takes", 9 * GIB, 1, 2],
    ["doubled more than once", 60 * GIB, 1, 8],
    ["the setting's, where that is large", 1024 * GIB, 64, 64],
  ])("is %s", (_, size, setting, mib) => {
    expect(planSlices(size, setting * MIB)).toBe(mib * MIB);
  });
});

/** Every size up to a few slices, in slices of 8 and of 16 bytes. */
const PLANS: SlicePlan[] = [8, 16].flatMap((sliceBytes) =>
  Array.from({ length: 3 * sliceBytes + 2 }, (_, index) => ({ size: index + 1, sliceBytes })),
);

describe("in every small image", () => {
  it("the slices cover all bytes once, in order", () => {
    for (const plan of PLANS) {
      let at = 0;
      for (const [slice, length] of lengths(plan).entries()) {
        expect(sliceStart(plan, slice)).toBe(at);
        expect(length).toBeGreaterThan(0);
        for (let byte = at; byte < at + length; byte++) expect(sliceAt(plan, byte)).toBe(slice);
        at += length;
      }
      expect(at).toBe(plan.size);
    }
  });

  it("every range is covered exactly by its parts", () => {
    const wrong: unknown[] = [];
    for (const plan of PLANS) {
      for (let from = 0; from < plan.size; from++) {
        for (let to = from + 1; to <= plan.size; to++) if (!covers(plan, from, to)) wrong.push({ plan, from, to });
      }
    }
    expect(wrong).toEqual([]);
  });

  it("an empty range has no parts", () => {
    for (const plan of PLANS) expect(partsOf(plan, plan.size, plan.size)).toEqual([]);
  });
});

describe("in any image", () => {
  const plans = fc.record({
    sliceBytes: fc.integer({ min: 8192, max: MIB }).map((eighth) => eighth * 8),
    size: fc.integer({ min: 1, max: 40 * 1024 * MIB }),
  });

  it("a byte lies in the slice that it is said to lie in", () => {
    fc.assert(
      fc.property(plans, fc.nat(), (plan, any) => {
        const byte = any % plan.size;
        const slice = sliceAt(plan, byte);
        const start = sliceStart(plan, slice);
        expect(byte).toBeGreaterThanOrEqual(start);
        expect(byte).toBeLessThan(start + sliceLength(plan, slice));
        expect(slice).toBeLessThan(sliceCount(plan));
      }),
    );
  });

  it("a range is covered exactly by its parts", () => {
    fc.assert(
      fc.property(plans, fc.nat(), fc.integer({ min: 1, max: 500 * MIB }), (plan, any, length) => {
        const from = any % plan.size;
        return covers(plan, from, Math.min(plan.size, from + length));
      }),
    );
  });
});

/** Whether the parts are the range: in order, without gap or overlap, and `whole` where they are. */
function covers(plan: SlicePlan, from: number, to: number): boolean {
  let at = from;
  for (const part of partsOf(plan, from, to)) {
    const within = part.offset >= 0 && part.length > 0 && part.offset + part.length <= sliceLength(plan, part.slice);
    if (sliceStart(plan, part.slice) + part.offset !== at || !within) return false;
    if (part.whole !== (part.offset === 0 && part.length === sliceLength(plan, part.slice))) return false;
    at += part.length;
  }
  return at === to;
}
