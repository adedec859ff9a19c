import * as fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { isOpenedAt, openingFor, requestedRange } from "../../../src/download/range.ts";
import { ObjectStore } from "../../../src/store/objects.ts";
import { bindings } from "../../support/env.ts";
import { keep } from "../../support/stored.ts";

const SIZE = 26;
const ask = (headers: Record<string, string>) => requestedRange(new Headers(headers), SIZE);
const part = (from: number, to: number) => ({ kind: "part", range: { from, to } });

describe("a Range header on an image of 26 bytes", () => {
  it.each([
    ["bytes=3-5", 3, 6],
    ["bytes=0-0", 0, 1],
    ["bytes=0-25", 0, 26],
    ["bytes=25-25", 25, 26],
    ["bytes=-4", 22, 26],
    ["bytes=-1", 25, 26],
    ["bytes=-26", 0, 26],
    ["bytes=-100", 0, 26],
    ["bytes=-0", 0, 26],
    ["bytes=20-", 20, 26],
    ["bytes=0-", 0, 26],
    ["bytes=20-900", 20, 26],
    ["bytes=20-99999999999999999999", 20, 26],
    ["bytes=-99999999999999999999", 0, 26],
  ])("%s asks for the bytes from %i to %i", (range, from, to) => {
    expect(ask({ range })).toEqual(part(from, to));
  });

  it.each([
    "bytes=26-",
    "bytes=99999999999999999999-",
    "bytes=5-3",
    "items=0-1",
    "bytes=abc",
    "bytes=",
    "bytes=-",
    "bytes=0-1,3-4",
    "bytes=0-5junk",
    "bytes=0x1-5",
    "bytes=1.5-3",
    "bytes=+1-3",
    "bytes=--1",
    "",
  ])("%j is left to Glance to refuse", (range) => {
    expect(ask({ range })).toEqual({ kind: "refused" });
  });
});

describe("a Content-Range header, which Glance takes for a range request", () => {
  it.each([
    ["bytes 3-5/*", 3, 6],
    ["bytes 3-5/26", 3, 6],
    ["bytes 0-25/*", 0, 26],
  ])("%s asks for the bytes from %i to %i", (value, from, to) => {
    expect(ask({ "content-range": value })).toEqual(part(from, to));
  });

  it.each(["bytes 3-30/*", "bytes 3-5/27", "bytes 5-3/*", "bytes */26", "junk"])(
    "%s is left to Glance to refuse",
    (value) => {
      expect(ask({ "content-range": value })).toEqual({ kind: "refused" });
    },
  );

  it("together with Range is left to Glance", () => {
    expect(ask({ range: "bytes=0-1", "content-range": "bytes 3-5/*" })).toEqual({ kind: "refused" });
  });
});

it("a request without either asks for the whole image", () => {
  expect(ask({})).toEqual({ kind: "whole" });
});

describe("what is opened before the size is known", () => {
  it.each([
    [{}, null],
    [{ range: "bytes=3-5" }, { offset: 3, length: 3 }],
    [{ range: "bytes=3-" }, { offset: 3 }],
    [{ range: "bytes=-4" }, { suffix: 4 }],
    [{ range: "bytes=-0" }, null],
    [{ range: "bytes=3-5", "if-range": '"x"' }, null],
    [{ "content-range": "bytes 3-5/*" }, null],
    [{ range: "bytes=5-3" }, null],
    [{ range: "bytes=0-1,3-4" }, null],
    [{ range: "junk" }, null],
    [{ range: "bytes=3-99999999999999999999" }, { offset: 3 }],
    [{ range: "bytes=99999999999999999999-" }, null],
    [{ range: "bytes=-99999999999999999999" }, null],
  ] as [Record<string, string>, unknown][])("for %j is %j", (headers, opening) => {
    expect(openingFor(new Headers(headers))).toEqual(opening);
  });
});

describe("whatever is asked for, what was opened and is taken for the part is just the part, in the real R2", () => {
  const objects = new ObjectStore(bindings.BUCKET);
  const imageId = crypto.randomUUID();
  const bytes = Uint8Array.from({ length: SIZE }, (_, index) => index);

  beforeAll(async () => {
    await keep(imageId, bytes);
  });

  const number = fc.oneof(
    { weight: 9, arbitrary: fc.nat({ max: SIZE + 3 }).map(BigInt) },
    { weight: 1, arbitrary: fc.constantFrom(2n ** 53n - 1n, 2n ** 53n, 2n ** 70n) },
  );
  const range = fc.oneof(
    fc.tuple(number, number).map(([from, last]) => `bytes=${from}-${last}`),
    number.map((from) => `bytes=${from}-`),
    number.map((suffix) => `bytes=-${suffix}`),
    fc.constantFrom("bytes=-", "junk", "bytes=1-2,4-5"),
  );
  const contentRange = fc.tuple(number, number).map(([from, last]) => `bytes ${from}-${last}/*`);
  const headers = fc.oneof(
    { weight: 3, arbitrary: fc.record({ range }) },
    {
      weight: 1,
      arbitrary: fc.record(
        { range, "content-range": contentRange, "if-range": fc.constantFrom('"x"', '"y"') },
        { requiredKeys: [] },
      ),
    },
  );

  it("and of what is asked for in the usual forms nothing is opened twice", async () => {
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(headers, async (fields) => {
        const given = new Headers(fields as Record<string, string>);
        const answer = requestedRange(given, SIZE);
        if (answer.kind === "refused") return;
        const opening = openingFor(given);
        const open = await objects.open(imageId, opening);
        const body = open === null ? null : new Uint8Array(await new Response(open.body).arrayBuffer());
        const wanted = answer.kind === "part" ? answer.range : { from: 0, to: SIZE };
        const mine = body !== null && isOpenedAt(opening, wanted, SIZE);
        if (mine) {
          taken++;
          expect(body).toEqual(bytes.slice(wanted.from, wanted.to));
        }
        const usual = given.has("range") && !given.has("if-range");
        if (usual) expect(mine).toBe(true);
      }),
      { numRuns: 400 },
    );
    expect(taken).toBeGreaterThan(50);
  });
});
