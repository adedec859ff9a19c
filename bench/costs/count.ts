/** Counts what the edge asks of the platform, case by case, and measures the CPU that it takes. */
import { setTimeout as sleep } from "node:timers/promises";
import { dataPath, type Image, type Origin, TOKEN } from "../origin.ts";
import { startAround, startEdge, type Workerd } from "../workerd.ts";
import { add, type Counted, scale, type Use } from "./use.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
/** The line to the origin, bytes per second: what a fill takes decides how long its object is awake. */
const RATE = 20e6;
/** Until all that is counted in memory is written. */
const BEHIND_MS = 12_000;
/** Behind a fill: the object is kept, and a minute later its slices have gone. */
const SWEPT_MS = 75_000;
const READERS = 8;
const HITS = 200;
const CRONS = [
  { cron: "* * * * *", anHour: 60 },
  { cron: "*/10 * * * *", anHour: 6 },
  { cron: "23 * * * *", anHour: 1 },
] as const;

type Counts = Readonly<Record<string, number>>;

/** @param short small images: shows that it works, and no more */
export async function count(origin: Origin, short: boolean, note: (text: string) => void): Promise<Counted> {
  const vars = { ORIGIN_URL: origin.url, SCRUB_BYTES: "0" };
  const edge = await startAround("bench/floors/counted-edge.ts", vars, "bench/floors/counting.ts");
  const cpu = await measureCpu(origin, short);
  note(`CPU ms: ${JSON.stringify(cpu)}`);
  const size = (short ? 16 : 256) * MIB;
  await origin.limit(RATE);
  const fill = await during(edge, SWEPT_MS, async () => readMany(edge, await origin.makeImage(size), 1));
  const storm = await during(edge, SWEPT_MS, async () => readMany(edge, await origin.makeImage(size), READERS));
  await origin.limit(null);
  note("a fill and a storm were counted");
  const image = await origin.makeImage(MIB);
  await readMany(edge, image, 1);
  await untilHit(edge, image);
  await sleep(BEHIND_MS);
  const alone = await during(edge, BEHIND_MS, () => readMany(edge, image, 1));
  const together = await during(edge, BEHIND_MS, () => readMany(edge, image, HITS));
  const range = await during(edge, BEHIND_MS, async () => {
    await read(edge, image, { range: "bytes=1000-200999" });
  });
  note("hits and a range were counted");
  let idle = scale(toUse(alone, 0), 0);
  for (const { cron, anHour } of CRONS) {
    const before = edge.cpuSeconds();
    const run = await during(edge, 0, async () => {
      const response = await fetch(`${edge.url}/_cron?${encodeURIComponent(cron)}`, { method: "POST" });
      if (response.status !== 204) throw new Error(`the cron ${cron}: ${response.status}`);
    });
    idle = add(idle, toUse(run, (edge.cpuSeconds() - before) * 1000), anHour);
  }
  const gib = size / GIB;
  const fillUse = toUse(fill, cpu.fillGib * gib);
  const stormUse = toUse(storm, cpu.fillGib * gib + cpu.sentGib * gib * (READERS - 1));
  return {
    hit: toUse(alone, cpu.hit),
    hitOfMany: scale(toUse(together, cpu.hit * HITS), 1 / HITS),
    range: toUse(range, cpu.hit),
    fillGib: scale(fillUse, 1 / gib),
    followerGib: scale(add(stormUse, fillUse, -1), 1 / gib / (READERS - 1)),
    idleHour: idle,
    sentCpuMsGib: cpu.sentGib,
  };
}

/** CPU ms: of a hit however small, of each GiB of it, and of each GiB of a fill with its reader, whose store is not the isolate's. */
async function measureCpu(origin: Origin, short: boolean): Promise<{ hit: number; sentGib: number; fillGib: number }> {
  const vars = { ORIGIN_URL: origin.url };
  const [edge, free] = await Promise.all([startEdge(vars), startAround("bench/floors/edge-without-store.ts", vars)]);
  const bytes = short ? 16 * MIB : GIB / 2;
  const [small, large] = [await origin.makeImage(1000), await origin.makeImage(bytes)];
  for (const image of [small, large]) {
    await readMany(edge, image, 1);
    await untilHit(edge, image);
  }
  await edge.idle();
  const cpuOf = async (worker: Workerd, work: () => Promise<void>) => {
    const before = worker.cpuSeconds();
    await work();
    return (worker.cpuSeconds() - before) * 1000;
  };
  await readMany(edge, small, HITS);
  const hit = (await cpuOf(edge, () => readMany(edge, small, HITS * 5, 8))) / (HITS * 5);
  const sent = await cpuOf(edge, () => readMany(edge, large, short ? 1 : 6, 1));
  const fills = await cpuOf(free, async () => {
    for (let done = 0; done < (short ? 1 : 2); done++) await readMany(free, await origin.makeImage(bytes), 1);
  });
  const gib = bytes / GIB;
  return { hit, sentGib: sent / gib / (short ? 1 : 6), fillGib: fills / gib / (short ? 1 : 2) };
}

/** So many downloads. @param atOnce by default all of them */
async function readMany(edge: Workerd, image: Image, times: number, atOnce = times): Promise<void> {
  let left = times;
  const one = async () => {
    while (left-- > 0) await read(edge, image);
  };
  await Promise.all(Array.from({ length: atOnce }, one));
}

/** @returns what the edge says of it. @throws Error when it is not what is due, or not all of it */
async function read(edge: Workerd, image: Image, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  const response = await fetch(edge.url + dataPath(image), { headers: { "x-auth-token": TOKEN, ...headers } });
  let bytes = 0;
  for await (const piece of response.body ?? []) bytes += piece.length;
  const due = headers.range === undefined ? [200, image.size] : [206, Number(response.headers.get("content-length"))];
  if (response.status !== due[0] || bytes !== due[1]) throw new Error(`status ${response.status}, ${bytes} bytes`);
  return response.headers.get("cache-status") ?? "";
}

async function untilHit(edge: Workerd, image: Image): Promise<void> {
  while (!(await read(edge, image)).endsWith("; hit")) await sleep(1_000);
}

/** What is counted while something is done, and so long behind it. */
async function during(edge: Workerd, behindMs: number, work: () => Promise<void>): Promise<Counts> {
  const told = async () => (await (await fetch(`${edge.url}/_counts`)).json()) as Counts;
  const before = await told();
  await work();
  await sleep(behindMs);
  const after = await told();
  return Object.fromEntries(Object.entries(after).map(([name, value]) => [name, value - (before[name] ?? 0)]));
}

/** An object counts as 128 MB. */
const OBJECT_GB = 0.128;

function toUse(counts: Counts, cpuMs: number): Use {
  const of = (name: string) => counts[name] ?? 0;
  return {
    workerRequests: of("workerRequests"),
    cpuMs,
    classA: of("classA"),
    classB: of("classB"),
    rowsRead: of("rowsRead"),
    rowsWritten: of("rowsWritten"),
    objectRequests: of("objectRequests"),
    objectGbSeconds: (of("objectActiveMs") / 1000) * OBJECT_GB,
  };
}
