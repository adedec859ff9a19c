import { afterEach, describe, expect, it } from "vitest";
import { giveBuffer, type SliceBuffer, takeBuffer } from "../../src/fill/buffers.ts";

const MINUTE = 60_000;
let held: SliceBuffer[] = [];

/** Takes all that the isolate has. */
function takeAll(now: number): SliceBuffer[] {
  const taken: SliceBuffer[] = [];
  for (let buffer = takeBuffer(8, now); buffer !== null; buffer = takeBuffer(8, now)) taken.push(buffer);
  held.push(...taken);
  return taken;
}

afterEach(() => {
  held.forEach(giveBuffer);
  held = [];
});

describe("the slice buffers of an isolate", () => {
  it("are nine, and a tenth is refused", () => {
    expect(takeAll(0)).toHaveLength(9);
    expect(takeBuffer(8, 0)).toBeNull();
  });

  it("are as long as the slice, and each one's own", () => {
    const [one, two] = [takeBuffer(5, 0), takeBuffer(7, 0)];
    held.push(...[one, two].filter((buffer) => buffer !== null));
    expect([one?.bytes.byteLength, two?.bytes.byteLength]).toEqual([5, 7]);
    expect(one?.bytes.buffer).not.toBe(two?.bytes.buffer);
  });

  it("can be taken again once given back, one for one", () => {
    const [first] = takeAll(0);
    if (first !== undefined) giveBuffer(first);
    expect(takeAll(0)).toHaveLength(1);
  });

  it("given back twice make room once", () => {
    const [first] = takeAll(0);
    if (first !== undefined) [first, first].forEach(giveBuffer);
    expect(takeAll(0)).toHaveLength(1);
  });

  it("that nobody touched for a minute are taken for abandoned, no earlier", () => {
    takeAll(0);
    expect(takeAll(MINUTE - 1)).toHaveLength(0);
    expect(takeAll(MINUTE)).toHaveLength(9);
  });

  it("that are worked with are kept", () => {
    const [first] = takeAll(0);
    if (first !== undefined) first.touchedAt = 30_000;
    expect(takeAll(MINUTE)).toHaveLength(8);
  });

  it("that were taken for abandoned make no room when they are given back after all", () => {
    const old = takeAll(0);
    takeAll(MINUTE);
    old.forEach(giveBuffer);
    expect(takeAll(MINUTE)).toHaveLength(0);
  });
});
