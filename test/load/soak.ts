/**
 * A cache that is four times too small for what is read: images are stored and given up all the time, while the upkeep runs.
 * Behind it nothing is left to mend: the index is what R2 holds, room adds up, and no slice stays.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Origin } from "../../bench/origin.ts";
import { Random } from "../../bench/random.ts";
import { type EdgeProcess, startEdge } from "../support/node/edge-process.ts";
import { Client, type SeededImage } from "./client.ts";
import { Counts } from "./counts.ts";
import { Images } from "./images.ts";
import { watchMemory } from "./memory.ts";
import type { Options, Outcome } from "./report.ts";
import { until } from "./until.ts";

const IMAGES = 20;
/** Images that the cap has room for. */
const ROOM = 5;
const MIB = 2 ** 20;
/** Of the largest image. */
const LARGEST_MIB = 8;
const CLIENTS = 20;
/**
 * An operator takes out an image so often, ms: what was read within a minute is not given up for others, so that by the cap
 * alone there would be five evictions in that time.
 */
const EVICT_MS = 500;
/** All crons, one after the other, so often. */
const UPKEEP_MS = 10_000;
/** As in wrangler.toml. */
const CRONS = ["* * * * *", "*/10 * * * *", "23 * * * *"] as const;
const HOURLY = CRONS[2];
/** Slices go a minute behind their commit, tombstones after two. */
const SETTLE_SECONDS = 240;

export async function soak({ soakSeconds, seed, note }: Options): Promise<Outcome> {
  const directory = await mkdtemp(join(tmpdir(), "glance-edge-load-"));
  const origin = await Origin.start();
  const vars = {
    ORIGIN_URL: origin.url,
    KEYSTONE_URL: `${origin.url}/v3`,
    CACHE_MAX_BYTES: String(ROOM * LARGEST_MIB * MIB),
  };
  const edge = await startEdge({ persist: directory, inspected: true, vars });
  try {
    const random = new Random(seed);
    const making = new Images(origin, random);
    const images: SeededImage[] = [];
    while (images.length < IMAGES) images.push(await making.make(LARGEST_MIB));
    const counts = new Counts();
    const end = performance.now() + soakSeconds * 1000;
    const on = { images, random, counts, end };
    const work = [...Array.from({ length: CLIENTS }, () => read(edge, on)), evict(edge, on), keepUp(edge, on)];
    const memory = await watchMemory(edge, Promise.all(work), note);
    note("letting it settle");
    const wrong = await lookBehind(edge);
    const errors = edge.logs().filter((line) => line.includes('"level":"error"'));
    return { counts, memory, wrong: [...wrong, ...errors.map((line) => `the edge logged: ${line.slice(0, 300)}`)] };
  } finally {
    await edge.stop();
    await origin.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

interface Soaking {
  readonly images: readonly SeededImage[];
  readonly random: Random;
  readonly counts: Counts;
  /** ms of performance.now() */
  readonly end: number;
}

/** Reads one image after the other: whole, in part, or with a break. */
async function read({ url }: EdgeProcess, { images, random, counts, end }: Soaking): Promise<void> {
  const client = new Client(url);
  while (performance.now() < end) {
    const image = random.one(images);
    const from = random.below(3) === 0 ? random.below(image.size) : 0;
    const leave = random.below(4) === 0 ? 1 + random.below(image.size) : Number.POSITIVE_INFINITY;
    try {
      counts.read(await client.read(image, from, image.size, leave));
      counts.count(from > 0 ? "range" : leave < image.size ? "left" : "whole");
    } catch (cause) {
      counts.fault("read", cause);
    }
    await sleep(random.below(200));
  }
  client.end();
}

/** An operator who takes images out. */
async function evict({ url }: EdgeProcess, { images, random, counts, end }: Soaking): Promise<void> {
  const client = new Client(url);
  for (; performance.now() < end; await sleep(EVICT_MS)) {
    try {
      await client.ask(`/v2/cache/${random.one(images).id}`, 204, { method: "DELETE", token: "admin" });
      counts.count("taken out");
    } catch (cause) {
      counts.fault("taken out", cause);
    }
  }
  client.end();
}

async function keepUp(edge: EdgeProcess, { counts, end }: Soaking): Promise<void> {
  for (; performance.now() < end; await sleep(UPKEEP_MS)) {
    try {
      for (const cron of CRONS) await edge.runCron(cron);
      counts.count("upkeep");
    } catch (cause) {
      counts.fault("upkeep", cause);
    }
  }
}

/** @returns what is not as it must be once nothing runs any more */
async function lookBehind(edge: EdgeProcess): Promise<string[]> {
  const { bucket, catalog } = await edge.stores();
  const keys = async (prefix: string) => {
    const { objects, truncated } = await bucket.list({ prefix });
    if (truncated) throw new Error(`more than a page of ${prefix}`);
    return objects;
  };
  const wrong: string[] = [];
  const fills = async () => (await catalog.prepare("SELECT image_id, attempt FROM fills").all()).results.length;
  const settled = async () => (await keys("fills/")).length === 0 && (await fills()) === 0;
  try {
    await until("the last slice's end", SETTLE_SECONDS, settled);
  } catch (cause) {
    wrong.push(`${String(cause)}: ${(await keys("fills/")).length} slices, ${await fills()} fills with room`);
  }
  const before = edge.logs().length;
  await edge.runCron(HOURLY);
  const cleaned =
    edge
      .logs()
      .slice(before)
      .find((line) => line.includes('"upkeep.clean"')) ?? "no clean";
  for (const mended of ["attempts", "released", "rows", "adopted", "foreign"]) {
    if (!cleaned.includes(`"${mended}":0`)) wrong.push(`the clean had to mend: ${cleaned}`);
  }
  const { results } = await catalog
    .prepare("SELECT image_id, size FROM images ORDER BY image_id")
    .all<{ image_id: string; size: number }>();
  const listed = results.map(({ image_id, size }) => `images/${image_id} ${size}`);
  const held = (await keys("images/")).map(({ key, size }) => `${key} ${size}`);
  if (listed.join("\n") !== held.toSorted().join("\n")) wrong.push(`the index has ${listed}, R2 ${held}`);
  const parts = await keys("parts/");
  if (parts.length > 0) wrong.push(`${parts.length} parts that no image has`);
  return wrong;
}
