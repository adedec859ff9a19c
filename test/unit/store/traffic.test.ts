/** What all isolates have counted, in D1. */
import { beforeEach, describe, expect, it } from "vitest";
import { Traffic } from "../../../src/store/traffic.ts";
import { db, emptied } from "../../support/stored.ts";

const HOUR_MS = 3_600_000;
const HOUR = 500_000;
const traffic = new Traffic(db);
const hits = (hour: number, value: number, label = "hit") => ({ hour, figure: "downloads", label, value });

beforeEach(emptied);

describe("what isolates have counted", () => {
  it("is added up, whoever writes it", async () => {
    await traffic.add([hits(HOUR, 2), hits(HOUR, 1, "miss")]);
    await traffic.add([hits(HOUR, 3), hits(HOUR + 1, 2 ** 50)]);
    expect(await traffic.hours(HOUR, HOUR + 1)).toEqual([
      hits(HOUR, 5),
      hits(HOUR, 1, "miss"),
      hits(HOUR + 1, 2 ** 50),
    ]);
    expect(await traffic.totals()).toEqual([
      { figure: "downloads", label: "hit", value: 2 ** 50 + 5 },
      { figure: "downloads", label: "miss", value: 1 },
    ]);
  });

  it("is read for the hours that are asked for, and no others", async () => {
    await traffic.add([hits(HOUR - 1, 1), hits(HOUR, 2), hits(HOUR + 1, 3), hits(HOUR + 2, 4)]);
    expect(await traffic.hours(HOUR, HOUR + 1)).toEqual([hits(HOUR, 2), hits(HOUR + 1, 3)]);
  });

  it("may be nothing", async () => {
    await traffic.add([]);
    expect(await traffic.hours(0, HOUR)).toEqual([]);
    expect(await traffic.totals()).toEqual([]);
  });
});

describe("hours that are older than 35 days", () => {
  const OLD = HOUR - 35 * 24;

  it("are folded together, and no total changes", async () => {
    await traffic.add([hits(OLD - 2, 1), hits(OLD - 1, 2), hits(OLD - 1, 7, "miss"), hits(OLD, 4), hits(HOUR, 8)]);
    const before = await traffic.totals();
    expect(await traffic.fold(HOUR * HOUR_MS)).toBe(3);
    expect(await traffic.totals()).toEqual(before);
    expect(await traffic.hours(0, HOUR)).toEqual([hits(OLD, 4), hits(HOUR, 8)]);
    expect(await traffic.fold(HOUR * HOUR_MS)).toBe(0);
    expect(await traffic.fold((HOUR + 1) * HOUR_MS)).toBe(1);
    expect(await traffic.totals()).toEqual(before);
    expect(await traffic.hours(0, HOUR)).toEqual([hits(HOUR, 8)]);
  });
});
