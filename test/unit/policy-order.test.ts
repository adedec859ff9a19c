import { afterEach, describe, expect, it, vi } from "vitest";
import { PolicyOrder } from "../../src/origin/policy-order.ts";
import { log } from "../support/store.ts";

const ORIGIN = "https://glance.test/image";
const MINUTE = 60_000;

const listing = (...ids: readonly string[]) =>
  Response.json({ versions: ids.map((id) => ({ id, status: "SUPPORTED", links: [] })) }, { status: 200 });
/** As glance/api/versions.py of that release lists them, the older ones left out. */
const WALLABY = ["v2.13", "v2.12", "v2.11", "v2.10", "v2.9"];
const XENA_WITH_CACHE = ["v2.14", ...WALLABY];
const ZED = ["v2.15", "v2.9"];
const MASTER_WITH_CACHE = ["v2.18", "v2.17", "v2.16", "v2.15", "v2.14", "v2.9"];
/** What an edge in front of an old one says. */
const THROUGH_AN_EDGE = ["v2.18", "v2.16", "v2.14", ...WALLABY];

function answering(...answers: readonly (Response | Error)[]) {
  const left = [...answers];
  return vi.spyOn(globalThis, "fetch").mockImplementation(async () => {
    const answer = left.shift() ?? new Error("nothing more was to be asked");
    if (answer instanceof Error) throw answer;
    return answer;
  });
}

afterEach(() => vi.restoreAllMocks());

describe("the policy is asked first by", () => {
  it.each([
    ["Zed", ZED, true],
    ["2026.1 with its cache on", MASTER_WITH_CACHE, true],
    ["not by Wallaby", WALLABY, false],
    ["not, for all that is known, by Xena with its cache on", XENA_WITH_CACHE, false],
    ["not, for all that is known, by what another edge shows", THROUGH_AN_EDGE, false],
    ["not by a list without versions", [], false],
  ] as const)("%s", async (_, ids, policyFirst) => {
    const fetched = answering(listing(...ids));
    expect(await new PolicyOrder().isPolicyFirst(ORIGIN, 0, log)).toBe(policyFirst);
    expect(fetched.mock.calls[0]?.[0]).toBe(`${ORIGIN}/versions`);
  });

  it("nobody who gives no versions document, which is logged, and asked again after a minute", async () => {
    const spy = vi.spyOn(log, "error").mockImplementation(() => undefined);
    const order = new PolicyOrder();
    const web = new Response("<html>a page</html>", { status: 404 });
    answering(new TypeError("connection refused"), web, listing(...ZED));
    expect(await order.isPolicyFirst(ORIGIN, 0, log)).toBe(false);
    expect(await order.isPolicyFirst(ORIGIN, MINUTE - 1, log)).toBe(false);
    expect(spy).toHaveBeenCalledTimes(1);
    expect(await order.isPolicyFirst(ORIGIN, MINUTE, log)).toBe(false);
    expect(await order.isPolicyFirst(ORIGIN, 2 * MINUTE, log)).toBe(true);
    expect(spy.mock.calls.map(([event]) => event)).toEqual(["origin.versions-failed", "origin.versions-failed"]);
  });
});

it("what is known is believed for ten minutes, for one origin", async () => {
  const order = new PolicyOrder();
  const fetched = answering(listing(...WALLABY), listing(...ZED), listing(...ZED));
  expect(await order.isPolicyFirst(ORIGIN, 0, log)).toBe(false);
  expect(await order.isPolicyFirst(ORIGIN, 10 * MINUTE - 1, log)).toBe(false);
  expect(fetched).toHaveBeenCalledTimes(1);
  expect(await order.isPolicyFirst(ORIGIN, 10 * MINUTE, log)).toBe(true);
  expect(await order.isPolicyFirst("https://other.test", 10 * MINUTE, log)).toBe(true);
  expect(fetched).toHaveBeenCalledTimes(3);
});
