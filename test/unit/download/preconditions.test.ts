import { describe, expect, it } from "vitest";
import { evaluatePreconditions, rangeApplies } from "../../../src/download/preconditions.ts";

const TAG = '"abc"';
const evaluate = (headers: Record<string, string>) => evaluatePreconditions(new Headers(headers), TAG);

describe('a condition on an image with the tag "abc"', () => {
  it.each([
    [{}, "proceed"],
    [{ "if-none-match": '"abc"' }, "not-modified"],
    [{ "if-none-match": 'W/"abc"' }, "not-modified"],
    [{ "if-none-match": "*" }, "not-modified"],
    [{ "if-none-match": " * " }, "not-modified"],
    [{ "if-none-match": '"x", "abc"' }, "not-modified"],
    [{ "if-none-match": '"x",W/"abc","y"' }, "not-modified"],
    [{ "if-none-match": '"x"' }, "proceed"],
    [{ "if-none-match": "abc" }, "proceed"],
    [{ "if-none-match": '"ABC"' }, "proceed"],
    [{ "if-none-match": '"a,b", "x*"' }, "proceed"],
    [{ "if-none-match": "" }, "proceed"],
    [{ "if-match": '"abc"' }, "proceed"],
    [{ "if-match": '"x", "abc"' }, "proceed"],
    [{ "if-match": "*" }, "proceed"],
    [{ "if-match": 'W/"abc"' }, "failed"],
    [{ "if-match": '"x"' }, "failed"],
    [{ "if-match": "abc" }, "failed"],
    [{ "if-match": "" }, "failed"],
    [{ "if-match": '"x"', "if-none-match": '"abc"' }, "failed"],
    [{ "if-match": '"abc"', "if-none-match": '"abc"' }, "not-modified"],
    [{ "if-match": '"abc"', "if-none-match": '"x"' }, "proceed"],
    [{ "if-modified-since": "Sat, 29 Oct 2094 19:43:31 GMT" }, "proceed"],
    [{ "if-unmodified-since": "Sat, 29 Oct 1994 19:43:31 GMT" }, "proceed"],
  ] as [Record<string, string>, string][])("%j: %s", (headers, answer) => {
    expect(evaluate(headers)).toBe(answer);
  });
});

describe("a Range with If-Range", () => {
  it.each([
    [null, true],
    ['"abc"', true],
    [' "abc" ', true],
    ['W/"abc"', false],
    ['"x"', false],
    ["abc", false],
    ["*", false],
    ["Sat, 29 Oct 2094 19:43:31 GMT", false],
  ])("%j applies: %s", (ifRange, applies) => {
    const headers: Record<string, string> = ifRange === null ? {} : { "if-range": ifRange };
    expect(rangeApplies(new Headers(headers), TAG)).toBe(applies);
  });
});
