import { describe, expect, it } from "vitest";
import { outcomeOf, sourceOf } from "../../../src/download/outcome.ts";
import { addCacheStatus, type CacheOutcome, toldOutcome } from "../../../src/http/cache-status.ts";

const told = (outcome: CacheOutcome | null, before = "") => {
  const headers = new Headers(before === "" ? {} : { "cache-status": before });
  if (outcome !== null) addCacheStatus(headers, outcome);
  return toldOutcome(headers);
};
const HIT: CacheOutcome = { kind: "hit" };
const MISS: CacheOutcome = { kind: "miss", stored: true };
const ALONE: CacheOutcome = { kind: "miss", stored: false, detail: "no-room" };
const BYPASS: CacheOutcome = { kind: "bypass", detail: "right-refused" };

describe("what a client was told", () => {
  it.each<[CacheOutcome, string | null]>([
    [HIT, null],
    [MISS, null],
    [{ kind: "collapsed" }, null],
    [ALONE, "no-room"],
    [BYPASS, "right-refused"],
  ])("is read from its answer: %j", (outcome, detail) => {
    expect(told(outcome)).toEqual({ kind: outcome.kind, detail });
  });

  it.each(["ORIGIN; hit", "glance-edge; fwd=bypass; detail=too-large", "a; fwd=miss; stored, glance-edge; hit"])(
    "is the last word, behind that of other caches: %s",
    (before) => {
      expect(told(ALONE, before)).toEqual({ kind: "miss", detail: "no-room" });
    },
  );

  it("is nothing where the edge said nothing", () => {
    expect(told(null)).toBeNull();
    expect(told(null, "other; hit")).toBeNull();
    expect(told(null, "not-glance-edge; hit")).toBeNull();
  });
});

describe("a download", () => {
  it.each<[number, CacheOutcome | null, string, string | null]>([
    [200, HIT, "hit", "cache"],
    [206, HIT, "hit", "cache"],
    [200, MISS, "miss", "cache"],
    [206, { kind: "collapsed" }, "collapsed", "cache"],
    [200, ALONE, "alone", "origin"],
    [200, BYPASS, "forwarded", "origin"],
    [204, BYPASS, "forwarded", "origin"],
    [302, BYPASS, "forwarded", "origin"],
    [200, null, "forwarded", "origin"],
    [304, HIT, "not-modified", null],
    [403, BYPASS, "refused", null],
    [412, HIT, "refused", null],
    [502, ALONE, "failed", null],
    [503, BYPASS, "failed", null],
    [502, null, "failed", null],
  ])("with status %i and %j counts as %s, its bytes as those of %s", (status, outcome, counted, source) => {
    const is = outcomeOf(status, told(outcome));
    expect([is, sourceOf(is)]).toEqual([counted, source]);
  });
});
