/** Many clients with a mix of requests: no error, each byte right, and workerd's memory stays flat. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Origin } from "../../bench/origin.ts";
import { Random } from "../../bench/random.ts";
import { startEdge } from "../support/node/edge-process.ts";
import { Client } from "./client.ts";
import { Counts } from "./counts.ts";
import { Fresh, Images } from "./images.ts";
import { watchMemory } from "./memory.ts";
import { METRICS_TOKEN, runClient } from "./mix.ts";
import type { Options, Outcome } from "./report.ts";
import { untilKept } from "./until.ts";

/** MiB of the largest image. */
const KEPT_MIB = 32;
const FRESH_MIB = 8;
const KEPT = 16;
const MANAGED = 8;
/** Clients that share the fill of an image. */
const READERS = 4;

export async function many({ clients, seconds, seed, kinds, note }: Options): Promise<Outcome> {
  const directory = await mkdtemp(join(tmpdir(), "glance-edge-load-"));
  const origin = await Origin.start();
  const vars = { ORIGIN_URL: origin.url, KEYSTONE_URL: `${origin.url}/v3`, METRICS_TOKEN };
  const edge = await startEdge({ persist: directory, inspected: true, vars });
  try {
    const random = new Random(seed);
    const images = new Images(origin, random);
    const make = async (count: number, mib: number) =>
      Promise.all(Array.from({ length: count }, () => images.make(mib)));
    const kept = await make(KEPT, KEPT_MIB);
    const managed = await make(MANAGED, FRESH_MIB);
    const counts = new Counts();
    const fresh = new Fresh(READERS, () => images.make(FRESH_MIB));
    const warming = new Client(edge.url);
    for (const image of kept) await warming.read(image);
    await untilKept(warming, kept);
    warming.end();
    const until = performance.now() + seconds * 1000;
    const mix = { kept, managed, fresh, random, counts };
    const work = Array.from({ length: clients }, async () => {
      const client = new Client(edge.url);
      await runClient(client, mix, kinds, until);
      client.end();
    });
    const memory = await watchMemory(edge, Promise.all(work), note);
    const errors = edge.logs().filter((line) => line.includes('"level":"error"'));
    return { counts, memory, wrong: errors.map((line) => `the edge logged: ${line.slice(0, 300)}`) };
  } finally {
    await edge.stop();
    await origin.stop();
    await rm(directory, { recursive: true, force: true });
  }
}
