/** What downloads and fills are counted as, in D1. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Traffic } from "../../../src/store/traffic.ts";
import { keptImage } from "../../support/kept.ts";
import { keepLines } from "../../support/lines.ts";
import { startReader } from "../../support/readers.ts";
import {
  bindings,
  committed,
  createImage,
  download,
  type Image,
  setFaults,
  settled,
  takeCalls,
} from "../../support/scenario.ts";

const SIZE = 1_500_000;
const logged = keepLines();
const traffic = new Traffic(bindings.CATALOG);
let before: Map<string, number>;

async function totals(): Promise<Map<string, number>> {
  const all = await traffic.totals();
  return new Map(all.map(({ figure, label, value }) => [`${figure} ${label}`, value]));
}

/** What has grown since the test began, times aside, and by how much. */
async function grown(): Promise<Record<string, number>> {
  const now = await totals();
  return Object.fromEntries(
    [...now]
      .map(([name, value]) => [name, value - (before.get(name) ?? 0)] as const)
      .filter(([name, by]) => by !== 0 && !name.includes("_ms ")),
  );
}

const expectGrown = (figures: Record<string, number>) => expect.poll(grown, { timeout: 10_000 }).toEqual(figures);

beforeEach(async () => {
  // What tests before this one have counted is written by now.
  await scheduler.wait(300);
  before = await totals();
});
// What the origin is asked is other tests' matter.
afterEach(async () => void (await takeCalls()));

async function read(image: Image, init: Parameters<typeof download>[1] = {}): Promise<number> {
  const response = await download(image.id, init);
  await response.arrayBuffer();
  await settled();
  return response.status;
}

describe("a download is counted once, with its bytes,", () => {
  it("as a miss, and its fill as kept", async () => {
    const image = await createImage({ size: SIZE });
    expect(await read(image)).toBe(200);
    await committed(image.id);
    await expectGrown({ "downloads miss": 1, "bytes cache": SIZE, "bytes origin": SIZE, "fills kept": 1 });
  });

  it("as a hit, or in part as a hit of so much", async () => {
    const image = await keptImage({ size: SIZE });
    expect(await read(image)).toBe(200);
    expect(await read(image, { headers: { range: "bytes=10-109" } })).toBe(206);
    await expectGrown({ "downloads hit": 2, "bytes cache": SIZE + 100 });
  });

  it("as not modified, without bytes", async () => {
    const image = await keptImage({ size: SIZE });
    expect(await read(image, { headers: { "if-none-match": `"${image.os_hash_value}"` } })).toBe(304);
    await expectGrown({ "downloads not-modified": 1 });
  });

  it("as refused, by the origin's status", async () => {
    const image = await createImage({ size: SIZE, visibility: "private", owner: "other" });
    expect(await read(image)).toBe(404);
    await expectGrown({ "downloads refused": 1, "refusals 404": 1 });
  });

  it("as alone, where nothing may be stored", async () => {
    const image = await createImage({ size: SIZE });
    expect(await read(image, { env: { CACHE_MAX_BYTES: "0" } })).toBe(200);
    await expectGrown({ "downloads alone": 1, "bytes origin": SIZE });
  });

  it("as forwarded, where the cache keeps out of it", async () => {
    const image = await createImage({ size: SIZE });
    expect(await read(image, { env: { IMAGE_MAX_BYTES: "10" } })).toBe(200);
    await expectGrown({ "downloads forwarded": 1, "bytes origin": SIZE });
  });

  it("as failed, where the origin can't be reached", async () => {
    const image = await createImage({ size: SIZE });
    expect(await read(image, { env: { ORIGIN_URL: "http://127.0.0.1:9" } })).toBe(502);
    await expectGrown({ "downloads failed": 1, "refusals 502": 1, "origin_errors unreachable": 1 });
  });

  it("with what a client had that left", async () => {
    const image = await createImage({ size: 8 * SIZE });
    await setFaults(image.id, { rate: 4_000_000 });
    const reader = await startReader(image.id, { leaveAt: 1_000_000 });
    await reader.ended;
    await settled();
    await expect.poll(async () => (await grown())["downloads miss"], { timeout: 10_000 }).toBe(1);
    const sent = (await grown())["bytes cache"] ?? 0;
    // In whole slices.
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThan(8 * SIZE);
    await committed(image.id);
  });
});

it("a HEAD is no download", async () => {
  const image = await keptImage({ size: SIZE });
  expect(await read(image, { method: "HEAD" })).toBe(200);
  await scheduler.wait(300);
  expect(await grown()).toEqual({});
});

it("data that do not match are counted, with the attempt that they ended", async () => {
  const image = await createImage({ size: SIZE });
  await setFaults(image.id, { corruptAt: 1_000 });
  const response = await download(image.id);
  await expect(response.arrayBuffer()).rejects.toThrow();
  await settled();
  await expect.poll(async () => (await grown())["mismatches fill"], { timeout: 10_000 }).toBe(1);
  expect(await grown()).toMatchObject({ "fills mismatch": 1, "downloads miss": 1, "cuts cache": 1 });
});

it("the times to the origin's answers and first byte, and to R2's, are counted", async () => {
  const image = await createImage({ size: SIZE });
  await read(image);
  await committed(image.id);
  await read(image);
  const count = async (figure: string) => {
    const now = await totals();
    return [...now]
      .filter(([name]) => name.startsWith(figure) && !name.endsWith("sum"))
      .reduce((sum, [name, value]) => sum + value - (before.get(name) ?? 0), 0);
  };
  await expect.poll(() => count("origin_answer_ms"), { timeout: 10_000 }).toBe(2);
  await expect.poll(() => count("origin_first_byte_ms"), { timeout: 10_000 }).toBe(1);
  await expect.poll(() => count("store_first_byte_ms"), { timeout: 10_000 }).toBe(1);
});

it("what D1 does not take is written later, and no download fails for it", async () => {
  const image = await keptImage({ size: SIZE });
  const away = new Proxy(bindings.CATALOG, {
    get: (target, name) => {
      if (name === "prepare")
        return (sql: string) => {
          if (sql.includes("INTO traffic")) throw new Error("D1 is away");
          return target.prepare(sql);
        };
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  expect(await read(image, { env: { CATALOG: away } })).toBe(200);
  expect(logged("figures.not-written")).not.toEqual([]);
  expect(await grown()).toEqual({});
  expect(await read(image)).toBe(200);
  await expectGrown({ "downloads hit": 2, "bytes cache": 2 * SIZE });
});

it("a client that leaves before there is an answer is no failure of the origin", async () => {
  const image = await createImage({ size: SIZE });
  await setFaults(image.id, { delayMs: 3_000 });
  const leaving = new AbortController();
  const asked = download(image.id, { signal: leaving.signal, env: { IMAGE_MAX_BYTES: "10" } });
  await scheduler.wait(500);
  leaving.abort();
  await asked.then((response) => response.arrayBuffer()).catch(() => undefined);
  await scheduler.wait(300);
  expect(await grown()).toEqual({});
  expect(logged("download.done")).toEqual([]);
});
