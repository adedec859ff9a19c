import { describe, expect, it } from "vitest";
import readme from "../../../README.md?raw";
import { addCacheStatus, type CacheOutcome, cacheStatus, DETAILS } from "../../../src/http/cache-status.ts";

describe("Cache-Status (RFC 9211) says", () => {
  it.each<[string, CacheOutcome]>([
    ["glance-edge; hit", { kind: "hit" }],
    ["glance-edge; fwd=uri-miss; collapsed", { kind: "collapsed" }],
    ["glance-edge; fwd=uri-miss; stored", { kind: "miss", stored: true }],
    ["glance-edge; fwd=uri-miss", { kind: "miss", stored: false }],
    ["glance-edge; fwd=uri-miss; detail=left-alone", { kind: "miss", stored: false, detail: "left-alone" }],
    ["glance-edge; fwd=bypass; detail=range-refused", { kind: "bypass", detail: "range-refused" }],
  ])("%s", (field, outcome) => {
    expect(cacheStatus(outcome)).toBe(field);
  });

  it("its word behind that of a cache nearer to the origin", () => {
    const headers = new Headers({ "cache-status": "inner; hit" });
    addCacheStatus(headers, { kind: "hit" });
    expect(headers.get("cache-status")).toBe("inner; hit, glance-edge; hit");
  });
});

it("the README explains each detail, and no other", () => {
  const table = readme.split("| `Cache-Status: glance-edge; …` |")[1]?.split("\n\n")[0] ?? "";
  const words = [...table.matchAll(/`([a-z-]+)`/g)].map(([, word]) => word);
  expect([...new Set(words)].filter((word) => word !== "hit").sort()).toEqual([...DETAILS].sort());
});
