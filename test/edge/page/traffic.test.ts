/** GET /edge/api/traffic: what was counted, hour by hour. */
import { beforeEach, expect, it } from "vitest";
import { hourOf } from "../../../src/store/tally.ts";
import { Traffic } from "../../../src/store/traffic.ts";
import { api, expectRefused, got } from "../../support/page.ts";
import { bindings } from "../../support/scenario.ts";

const traffic = new Traffic(bindings.CATALOG);
const HOUR = 3_600_000;

beforeEach(async () => {
  await bindings.CATALOG.prepare("DELETE FROM traffic").run();
});

it("has the hours in which something was counted, each with what the charts show", async () => {
  const now = hourOf(Date.now());
  const count = (hour: number, figure: string, label: string, value: number) => ({ hour, figure, label, value });
  await traffic.add([
    count(now, "downloads", "hit", 3),
    count(now, "bytes", "cache", 5_000_000_000),
    count(now, "refusals", "404", 1),
    count(now - 5, "fills", "kept", 1),
    count(now - 100, "downloads", "miss", 2),
    count(now - 800, "downloads", "miss", 9),
    count(0, "downloads", "miss", 9),
  ]);
  const [old, newest] = [
    { hour: (now - 5) * HOUR, downloads: {}, bytes: {}, fills: { kept: 1 } },
    { hour: now * HOUR, downloads: { hit: 3 }, bytes: { cache: 5_000_000_000 }, fills: {} },
  ];
  expect(await got("GET traffic")).toEqual({ hours: [old, newest] });
  expect(await got("GET traffic?hours=720")).toEqual({
    hours: [{ hour: (now - 100) * HOUR, downloads: { miss: 2 }, bytes: {}, fills: {} }, old, newest],
  });
});

it.each(["0", "25", "all"])("is refused for %s hours", async (hours) => {
  await expectRefused(await api(`GET traffic?hours=${hours}`), 400, /query's hours is wrong/);
});
