/** What counts as progress of an unfinished fill: a new slice, and the reading back once all are there. */
import { describe, expect, it } from "vitest";
import * as rules from "../../src/fill/rules.ts";
import { NOW, STALE_MS, state } from "../support/fill-states.ts";

const LATER = NOW + STALE_MS;

describe("a fill whose slices are all stored", () => {
  const whole = (progressAt: number) => state({ stored: 3, setbacks: rules.SETBACKS_TOLERATED, progressAt });

  it("is not stale as long as it is read back, however long ago its last slice came", () => {
    expect(rules.isStale(whole(LATER - 1), STALE_MS, LATER + STALE_MS - 2)).toBe(false);
  });

  it("is stale when the reading back gets nowhere", () => {
    expect(rules.isStale(whole(LATER - 1), STALE_MS, LATER + STALE_MS - 1)).toBe(true);
  });

  it("is not forgotten by the watchdog either before that", () => {
    expect(rules.duty(whole(LATER - 1), LATER, STALE_MS).do).not.toBe("forget");
    expect(rules.duty(whole(LATER - 1), LATER + STALE_MS - 1, STALE_MS)).toEqual({ do: "forget" });
  });
});

describe("a fill that lacks a slice", () => {
  it("is stale by its last slice, whatever bytes came since", () => {
    const received = state({ stored: 2, progressAt: LATER - 1 });
    expect(rules.isStale(received, STALE_MS, LATER - 1)).toBe(false);
    expect(rules.isStale(received, STALE_MS, LATER)).toBe(true);
  });
});
