import { describe, expect, it } from "vitest";
import { requestedRange } from "../../src/download/range.ts";

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
