/** What the bench's figures rest on, and that docs/performance.md has what was measured. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Chunked, Fixed } from "../../bench/clients/body.ts";
import { withTables } from "../../bench/docs.ts";
import { mergeSeries, ratioOf, type Sample, type Series } from "../../bench/results.ts";

describe("a body that the bench reads", () => {
  const wire = Buffer.from("5\r\nhello\r\n10;name=value\r\n, wonderful worl\r\n1\r\nd\r\n0\r\n\r\n");

  it.each(Array.from(wire.keys()))("ends where its last chunk does, also when it comes in two at byte %i", (at) => {
    const body = new Chunked();
    const pieces: Buffer[] = [];
    const read = (bytes: Buffer) => body.read(bytes, (piece) => void pieces.push(piece));
    const ended = [read(wire.subarray(0, at)), read(wire.subarray(at))];
    expect(ended.includes(true)).toBe(true);
    expect(Buffer.concat(pieces).toString()).toBe("hello, wonderful world");
  });

  it("ends with its length, and shows what is too much", () => {
    const body = new Fixed(4);
    let bytes = 0;
    const read = (text: string) =>
      body.read(Buffer.from(text), (piece) => {
        bytes += piece.length;
      });
    expect([read("abc"), read("de")]).toEqual([false, true]);
    expect(bytes).toBe(5);
  });
});

describe("what was measured", () => {
  const sample = (seconds: number): Sample => ({ seconds, firstByte: 0, cpu: {}, clientsCpu: 0, originBytes: 0 });
  const series = (server: Series["server"], at: string, seconds: readonly number[]): Series => ({
    ...{ server, at, clients: 1, size: 1, rate: null },
    samples: seconds.map(sample),
  });

  it("is compared by medians, and round by round where rounds were taken in turns", () => {
    const one = series("edge", "today", [2, 4, 6]);
    const seconds = (of: Sample) => of.seconds;
    expect(ratioOf(one, series("fill", "today", [1, 4, 8]), seconds)).toEqual({ value: 1, least: 0.75, most: 2 });
    expect(ratioOf(one, series("fill", "before", [1, 4, 8]), seconds)).toEqual({ value: 1, least: 1, most: 1 });
  });

  it("takes the place of what was measured of the same before, and of nothing else", () => {
    const before = [series("edge", "before", [1]), { ...series("edge", "before", [1]), clients: 8 }];
    const after = [series("edge", "today", [2])];
    expect(mergeSeries(before, after).map(({ at, clients }) => [at, clients])).toEqual([
      ["before", 8],
      ["today", 1],
    ]);
  });

  it("stands in docs/performance.md as `npm run bench:docs` puts it there", () => {
    const page = readFileSync(new URL("../../docs/performance.md", import.meta.url), "utf8");
    expect(withTables(page)).toBe(page);
  });
});
