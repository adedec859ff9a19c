/**
 * An image that no single object of R2 holds, at the settings that wrangler.toml has: kept in parts with a manifest, and all
 * that can happen to it. Needs some 20 GB of disk for a while, and minutes: `npm run test:large`, or LARGE_IMAGE_MIB=… for
 * another size.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, open, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { virtualBytes } from "../../demo/content/virtual-bytes.ts";
import { type EdgeProcess, startEdge } from "../support/node/edge-process.ts";
import { cacheStatusOf, HIT, type Image, NOT_STORED, Origin, until } from "../wire/support.ts";

const MIB = 2 ** 20;
/** Not a whole number of slices, nor of parts. */
const SIZE = Number(process.env.LARGE_IMAGE_MIB ?? 9 * 1024) * MIB + 12_345;
/** OBJECT_MAX_BYTES of wrangler.toml, which is a whole number of its slices. */
const PART = 2 ** 32;
const MINUTE = 60_000;
/** As in wrangler.toml. */
const HOURLY = "23 * * * *";

const origin = new Origin();
let directory: string;
let edge: EdgeProcess;
let image: Image;

const start = async () =>
  startEdge({
    persist: join(directory, "edge"),
    vars: { ORIGIN_URL: await origin.start(), SCRUB_BYTES: String(SIZE) },
  });

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "edge-large-"));
  edge = await start();
  image = await origin.createImage({ size: SIZE });
}, 10 * MINUTE);

afterAll(async () => {
  await edge.stop();
  await rm(directory, { recursive: true });
});

interface Fetched {
  readonly code: number | null;
  readonly bytes: number;
  /** Of what came, hex. */
  readonly sha512: string;
}

/** A download by curl, which is ended when `enough` bytes have come. */
async function download(range: string | null, enough = Number.POSITIVE_INFINITY): Promise<Fetched> {
  const url = `${edge.url}/v2/images/${image.id}/file`;
  const args = ["-sf", "-H", "X-Auth-Token: demo", ...(range === null ? [] : ["-r", range]), url];
  const curl = spawn("curl", args, { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(curl, "close") as Promise<[number | null]>;
  const hash = createHash("sha512");
  let bytes = 0;
  for await (const chunk of curl.stdout as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
    if (bytes >= enough) break;
  }
  curl.kill();
  const [code] = await closed;
  return { code, bytes, sha512: hash.digest("hex") };
}

/** SHA-512 of the image from one byte to before another. */
function digestOf(from: number, to: number): string {
  const hash = createHash("sha512");
  for (let at = from; at < to; at += 4 * MIB) hash.update(virtualBytes(image.seed, at, Math.min(4 * MIB, to - at)));
  return hash.digest("hex");
}

/** Bytes of the objects in the bucket, the largest first. They are files of local R2. */
async function objects(): Promise<{ readonly path: string; readonly size: number }[]> {
  const all = await readdir(join(directory, "edge"), { recursive: true });
  const blobs = all.filter((path) => /r2.*\/blobs\/[^/]+$/.test(path)).map((path) => join(directory, "edge", path));
  const found = await Promise.all(blobs.map(async (path) => ({ path, size: (await stat(path)).size })));
  return found.sort((a, b) => b.size - a.size);
}

/** Until its slices have gone, a minute after it was kept: its parts, and their manifest. */
const inParts = () =>
  until("keeping the image in parts", 5 * MINUTE, async () => {
    if ((await cacheStatusOf(edge.url, image)) !== HIT) return false;
    return (await objects()).length === Math.ceil(SIZE / PART) + 1;
  });

/** The bytes of image data that the origin has sent. */
async function sent(): Promise<number> {
  const data = (await origin.requestsFor(image)).filter(({ path, status }) => path.endsWith("/file") && status < 300);
  return data.reduce((sum, { bytes }) => sum + bytes, 0);
}

describe(`an image of ${Math.floor(SIZE / MIB)} MiB`, { timeout: 20 * MINUTE }, () => {
  it("is resumed by its client when the edge was killed half way, and costs the origin what was not stored", async () => {
    const first = await download(null, SIZE / 2);
    await edge.kill();
    edge = await start();
    const rest = await download(`${first.bytes}-`);
    expect([rest.code, rest.bytes]).toEqual([0, SIZE - first.bytes]);
    expect(rest.sha512).toBe(digestOf(first.bytes, SIZE));
    expect(await sent()).toBeLessThan(1.02 * SIZE);
  });

  it("is kept in parts, with a manifest, and nothing else of it stays", async () => {
    await inParts();
    const sizes = (await objects()).map(({ size }) => size);
    const parts = sizes.slice(0, -1);
    expect(parts.reduce((sum, size) => sum + size, 0)).toBe(SIZE);
    expect(parts.slice(0, -1).every((size) => size === PART)).toBe(true);
    expect(sizes.at(-1)).toBeLessThan(1_000);
  });

  it("is a hit, whole and right", async () => {
    const before = await sent();
    const hit = await download(null);
    expect([hit.code, hit.bytes, hit.sha512]).toEqual([0, SIZE, image.sha512]);
    expect(await sent()).toBe(before);
  });

  it("is resumed from what is kept", async () => {
    const from = Math.floor(SIZE * 0.6);
    const rest = await download(`${from}-`);
    expect([rest.code, rest.bytes, rest.sha512]).toEqual([0, SIZE - from, digestOf(from, SIZE)]);
  });

  it("is read across the ends of its parts", async () => {
    const ends = Array.from({ length: Math.ceil(SIZE / PART) - 1 }, (_, part) => (part + 1) * PART);
    expect(ends.length).toBeGreaterThan(0);
    for (const end of ends) {
      const [from, to] = [end - 1_000_003, end + 2_000_003];
      const piece = await download(`${from}-${to - 1}`);
      expect([piece.code, piece.bytes, piece.sha512]).toEqual([0, to - from, digestOf(from, to)]);
    }
  });

  it("is found right by the scrub", async () => {
    await edge.runCron(HOURLY);
    expect(edge.logs().filter((line) => line.includes("upkeep.scrub"))).toEqual([
      expect.stringContaining('"verified":1'),
    ]);
    expect(await cacheStatusOf(edge.url, image)).toBe(HIT);
  });

  it("is found wrong by the scrub when a byte of a part has changed, and nothing of it stays", async () => {
    const [largest] = await objects();
    if (largest === undefined) throw new Error("no part is there");
    const file = await open(largest.path, "r+");
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, PART - 1);
    byte.writeUInt8(byte.readUInt8() ^ 1);
    await file.write(byte, 0, 1, PART - 1);
    await file.close();
    await edge.runCron(HOURLY);
    expect(edge.logs().filter((line) => line.includes("scrub.bad-image"))).toHaveLength(1);
    await until("removing it", MINUTE, async () => (await objects()).length === 0);
    expect(await cacheStatusOf(edge.url, image)).toBe(NOT_STORED);
  });

  it("comes back with the next download, and goes whole when it is deleted", async () => {
    const again = await download(null);
    expect([again.code, again.bytes, again.sha512]).toEqual([0, SIZE, image.sha512]);
    await inParts();
    const url = `${edge.url}/v2/images/${image.id}`;
    const deleted = await fetch(url, { method: "DELETE", headers: { "x-auth-token": "demo" } });
    expect(deleted.status).toBe(204);
    await until("removing it", 2 * MINUTE, async () => (await objects()).length === 0);
  });
});
