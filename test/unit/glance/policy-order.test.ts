import { afterEach, describe, expect, it, vi } from "vitest";
import { MARK, PolicyOrder } from "../../../src/glance/policy-order.ts";
import { CACHE_VERSIONS, rewriteVersions } from "../../../src/glance/versions.ts";
import { fetchBy } from "../../../src/lib/fetch.ts";
import { createLog } from "../../../src/lib/log.ts";

const ORIGIN = "https://glance.test/image";
const AT = { origin: ORIGIN, publicUrl: null, originFetch: fetchBy(undefined) };
const MINUTE = 60_000;
const log = createLog({ test: true });

let behind: Promise<unknown>[] = [];
const background = (work: Promise<unknown>) => {
  behind.push(work);
};

function throughAnEdge(ids: readonly string[]): readonly string[] {
  const versions = ids.map((id) => ({ id, status: "SUPPORTED", links: [] }));
  const naming = { origin: ORIGIN, asked: `${ORIGIN}/versions`, edge: "https://edge.test" };
  const { versions: shown } = JSON.parse(rewriteVersions(JSON.stringify({ versions }), naming, true) ?? "");
  return shown.map(({ id }: { id: string }) => id);
}

const listing = (...ids: readonly string[]) =>
  Response.json({ versions: ids.map((id) => ({ id, status: "SUPPORTED", links: [] })) }, { status: 200 });
/** As glance/api/versions.py of that release lists them, the older ones left out. */
const WALLABY = ["v2.13", "v2.12", "v2.11", "v2.10", "v2.9"];
const XENA_WITH_CACHE = ["v2.14", ...WALLABY];
const ZED = ["v2.15", "v2.9"];
const MASTER_WITH_CACHE = ["v2.18", "v2.17", "v2.16", "v2.15", "v2.14", "v2.9"];
/** What an edge in front of an old one says. */
const THROUGH_AN_EDGE = throughAnEdge(WALLABY);

function answering(...answers: readonly (Response | Error)[]) {
  const left = [...answers];
  return vi.spyOn(globalThis, "fetch").mockImplementation(async () => {
    const answer = left.shift() ?? new Error("nothing more was to be asked");
    if (answer instanceof Error) throw answer;
    return answer;
  });
}

afterEach(() => {
  vi.restoreAllMocks();
  behind = [];
});

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
    expect(await new PolicyOrder().isPolicyFirst(AT, 0, log, background)).toBe(policyFirst);
    expect(fetched.mock.calls[0]?.[0]).toBe(`${ORIGIN}/versions`);
  });

  it("nobody who gives no versions document, which is logged, and asked again after a minute", async () => {
    const spy = vi.spyOn(log, "error").mockImplementation(() => undefined);
    const order = new PolicyOrder();
    const web = new Response("<html>a page</html>", { status: 404 });
    answering(new TypeError("connection refused"), web, listing(...ZED));
    expect(await order.isPolicyFirst(AT, 0, log, background)).toBe(false);
    expect(await order.isPolicyFirst(AT, MINUTE - 1, log, background)).toBe(false);
    expect(spy).toHaveBeenCalledTimes(1);
    expect(await order.isPolicyFirst(AT, MINUTE, log, background)).toBe(false);
    expect(await order.isPolicyFirst(AT, 2 * MINUTE, log, background)).toBe(true);
    expect(spy.mock.calls.map(([event]) => event)).toEqual(["origin.versions-failed", "origin.versions-failed"]);
  });
});

it("the version that is looked for is none of those that an edge adds, which does add some", () => {
  expect(CACHE_VERSIONS).not.toContain(MARK);
  expect(THROUGH_AN_EDGE).toEqual(expect.arrayContaining([...CACHE_VERSIONS]));
});

it("what is known is believed for ten minutes, for one origin; then it is asked again behind the answer", async () => {
  const order = new PolicyOrder();
  const fetched = answering(listing(...WALLABY), listing(...ZED), listing(...ZED));
  expect(await order.isPolicyFirst(AT, 0, log, background)).toBe(false);
  expect(await order.isPolicyFirst(AT, 10 * MINUTE - 1, log, background)).toBe(false);
  expect(fetched).toHaveBeenCalledTimes(1);
  expect(await order.isPolicyFirst(AT, 10 * MINUTE, log, background)).toBe(false);
  expect(behind).toHaveLength(1);
  await Promise.all(behind);
  expect(await order.isPolicyFirst(AT, 10 * MINUTE, log, background)).toBe(true);
  expect(await order.isPolicyFirst({ ...AT, origin: "https://other.test" }, 10 * MINUTE, log, background)).toBe(true);
  expect(fetched).toHaveBeenCalledTimes(3);
});

it("many at once ask once: those who know nothing yet wait for it, those who know go on", async () => {
  const order = new PolicyOrder();
  const many = (now: number) =>
    Promise.all(Array.from({ length: 20 }, () => order.isPolicyFirst(AT, now, log, background)));
  const first = answering(listing(...ZED));
  expect(new Set(await many(0))).toEqual(new Set([true]));
  expect(first).toHaveBeenCalledTimes(1);
  vi.restoreAllMocks();

  const { promise, resolve } = Promise.withResolvers<Response>();
  const again = vi.spyOn(globalThis, "fetch").mockReturnValue(promise);
  // None of them waits for an answer that does not come.
  expect(new Set(await many(11 * MINUTE))).toEqual(new Set([true]));
  expect([again.mock.calls.length, behind.length]).toEqual([1, 1]);
  resolve(listing(...WALLABY));
  await Promise.all(behind);
  expect(await order.isPolicyFirst(AT, 11 * MINUTE, log, background)).toBe(false);
});

it("a question whose asker the platform has ended holds nobody up for long, and is asked again", async () => {
  const order = new PolicyOrder();
  vi.spyOn(globalThis, "fetch").mockReturnValueOnce(new Promise(() => undefined));
  void order.isPolicyFirst(AT, 0, log, background);
  expect(await order.isPolicyFirst(AT, 1, log, background)).toBe(false);
  answering(listing(...ZED));
  expect(await order.isPolicyFirst(AT, 6_000, log, background)).toBe(true);
});

it("what was known goes on for half an hour while the origin does not say, and no longer", async () => {
  const order = new PolicyOrder();
  vi.spyOn(log, "error").mockImplementation(() => undefined);
  answering(listing(...ZED));
  expect(await order.isPolicyFirst(AT, 0, log, background)).toBe(true);
  for (let now = 10 * MINUTE; now < 30 * MINUTE; now += MINUTE) {
    expect(await order.isPolicyFirst(AT, now, log, background)).toBe(true);
    await Promise.all(behind);
  }
  // Asked once a minute.
  expect(behind).toHaveLength(20);
  expect(await order.isPolicyFirst(AT, 30 * MINUTE, log, background)).toBe(false);
});
