import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from "vitest";
import { createLog, describe as tell } from "../../../src/lib/log.ts";

let info: MockInstance<typeof console.log>;
let error: MockInstance<typeof console.error>;

beforeEach(() => {
  info = vi.spyOn(console, "log").mockReturnValue();
  error = vi.spyOn(console, "error").mockReturnValue();
});
afterEach(() => {
  vi.restoreAllMocks();
});

const lines = (spy: MockInstance<(line: string) => void>) => spy.mock.calls.map(([line]) => JSON.parse(line));

describe("a line of the log", () => {
  it("has what it was given and nothing else", () => {
    createLog({ request_id: "req-1" }).info("image.evicted", { image_id: "a", found: true, bytes: 5, why: null });
    expect(lines(info)).toEqual([
      { level: "info", event: "image.evicted", request_id: "req-1", image_id: "a", found: true, bytes: 5, why: null },
    ]);
    expect(lines(error)).toEqual([]);
  });

  it("needs no fields", () => {
    createLog({}).info("started");
    expect(lines(info)).toEqual([{ level: "info", event: "started" }]);
  });

  it("of a failure tells name and message, and no stack", () => {
    createLog({ request_id: "req-1" }).error("fill.failed", new TypeError("no"), { slice: 3 });
    expect(lines(error)).toEqual([
      { level: "error", event: "fill.failed", request_id: "req-1", slice: 3, error: "TypeError: no" },
    ]);
    expect(lines(info)).toEqual([]);
  });

  it("stays one line whatever it is given", () => {
    createLog({ path: "/a\n{}" }).error("x", new Error("two\nlines\r\nhere"));
    expect(error.mock.calls[0]?.[0]).not.toMatch(/[\r\n]/);
  });
});

describe("what was thrown is told as", () => {
  it.each<[unknown, string]>([
    [new Error("no"), "Error: no"],
    ["no", "no"],
    [null, "null"],
    [undefined, "undefined"],
    [{ token: "secret" }, "[object Object]"],
    [new Error("no", { cause: new RangeError("why") }), "Error: no (RangeError: why)"],
    [new Error("a", { cause: new Error("b", { cause: "c" }) }), "Error: a (Error: b (c))"],
  ])("%s: %s", (thrown, told) => {
    expect(tell(thrown)).toBe(told);
  });

  it.each([
    ["fetch http://glance:9292/v2?token=secret failed", "Error: fetch http://glance:9292/v2?… failed"],
    ["https://a/b?secret https://c/d?secret", "Error: https://a/b?… https://c/d?…"],
    ['"https://a/?secret"', 'Error: "https://a/?…"'],
    ["https://a/b?x=secret&y=secret?z=secret", "Error: https://a/b?…"],
    ["really? yes", "Error: really? yes"],
    ["https://a/b is gone", "Error: https://a/b is gone"],
  ])("an error without its URLs' queries: %s", (message, told) => {
    expect(tell(new Error(message))).toBe(told);
    expect(tell(new Error("outer", { cause: new Error(message) }))).toBe(`Error: outer (${told})`);
    expect(tell(message)).toBe(told.slice("Error: ".length));
  });
});
