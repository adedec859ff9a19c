/**
 * Many clients ask at the same moment for an image that nobody asked for before, over an origin whose line carries 20 MB/s for
 * all together: what the origin sent, and when the first and the last byte came. Beside a bare Durable Object and bare readers
 * that do the same (../floors/fill.ts).
 */
import { type Bench, dropImage, MIB, measure, median, type Run, verify } from "../bench.ts";
import { dropFromFillFloor, fillPath } from "../fill-floor.ts";
import { dataPath, type Image } from "../origin.ts";
import type { Line } from "../report.ts";
import { startBare, startEdge, type Workerd } from "../workerd.ts";

const RATE = 20e6;
const COUNTS = [1, 16, 64];

interface Workers {
  readonly edge: Workerd;
  readonly floor: Workerd;
}

interface Storm {
  /** Bytes that the origin sent to the edge, over the image's. */
  readonly origin: number;
  /** Seconds of one transfer straight from the origin. */
  readonly single: number;
  readonly edge: Run;
  readonly floor: Run;
}

export async function storm(bench: Bench): Promise<Line[]> {
  const { origin, quick, note } = bench;
  const size = quick ? 3 * MIB : 128 * MIB;
  const [edge, floor] = await Promise.all([
    startEdge({ ORIGIN_URL: origin.url }),
    startBare("bench/floors/fill.ts", "with-fill"),
  ]);
  await origin.limit(RATE);
  note("storm: comparing the digests");
  await verifyStorm(bench, { edge, floor });
  const lines: Line[] = [];
  for (const clients of COUNTS) {
    const storms: Storm[] = [];
    for (let round = 1; round <= (quick ? 1 : Math.ceil(bench.pairs / 2)); round++) {
      const result = await runStorm(bench, { edge, floor }, size, clients);
      storms.push(result);
      note(`storm, ${clients} clients, round ${round}: ${showStorm(result)}`);
    }
    lines.push(...linesOf(clients, storms));
  }
  await origin.limit(null);
  return lines;
}

/** The readers' bytes, digested: small images, so that digesting does not slow the readers down. */
async function verifyStorm(bench: Bench, { edge, floor }: Workers): Promise<void> {
  const clients = bench.quick ? 4 : 16;
  const size = (bench.quick ? 3 : 24) * MIB + 1;
  const image = await bench.origin.makeImage(size);
  await verify(bench, edge, dataPath(image), image, clients);
  await dropImage(edge, image);
  const other = await bench.origin.makeImage(size);
  await verify(bench, floor, fillPath(bench, other), other, clients);
  await dropFromFillFloor(bench, floor, other);
}

async function runStorm(bench: Bench, { edge, floor }: Workers, size: number, clients: number): Promise<Storm> {
  const { origin } = bench;
  const single = await runSingle(bench, edge, size);
  const image = await origin.makeImage(size);
  await origin.forgetRequests();
  const run = await measure(bench, edge, dataPath(image), image, clients);
  const bytes = await origin.sent();
  await dropImage(edge, image);
  const other = await origin.makeImage(size);
  const bare = await measure(bench, floor, fillPath(bench, other), other, clients);
  await dropFromFillFloor(bench, floor, other);
  return { origin: bytes / size, single: single.seconds, edge: run, floor: bare };
}

/** One transfer straight from the origin. */
async function runSingle(bench: Bench, edge: Workerd, size: number): Promise<Run> {
  const image: Image = await bench.origin.makeImage(size);
  const direct = { ...edge, url: bench.origin.url };
  const run = await measure(bench, direct, dataPath(image), image, 1);
  await bench.origin.removeImage(image);
  return run;
}

/** What the time over a single transfer's may be, where there is a goal. */
const TIME_GOALS: Readonly<Record<number, number>> = { 1: 1.1, 16: 1.2 };

function linesOf(clients: number, storms: readonly Storm[]): Line[] {
  const name = clients === 1 ? "cold, 1 client, 20 MB/s" : `storm, ${clients} clients, 20 MB/s`;
  const worst = (of: (storm: Storm) => number) => Math.max(...storms.map(of));
  const middle = (of: (storm: Storm) => number) => median(storms.map(of));
  const most = TIME_GOALS[clients];
  return [
    {
      case: name,
      figure: "last client's time / one transfer's",
      goal: most === undefined ? null : { most },
      value: middle(({ edge, single }) => edge.seconds / single),
      floor: middle(({ floor, single }) => floor.seconds / single),
      from: `${middle(({ edge }) => edge.seconds).toFixed(2)} s, its workerd busy for ${percent(middle(({ edge }) => busy(edge)))} of it; the floor's for ${percent(middle(({ floor }) => busy(floor)))}`,
    },
    {
      case: name,
      figure: "time to the last client's first byte",
      goal: most === undefined ? null : { most: 0.3 },
      value: worst(({ edge }) => lastFirstByte(edge)),
      floor: worst(({ floor }) => lastFirstByte(floor)),
      unit: "s",
      from: "the worst round",
    },
    {
      case: name,
      figure: "origin bytes / image",
      goal: { most: 1 },
      value: worst((storm) => storm.origin),
      floor: null,
      from: "the worst round",
    },
  ];
}

/** Seconds until the first byte of the client that waited longest. */
function lastFirstByte({ fetched }: Run): number {
  return Math.max(...fetched.map((one) => one.firstByteMs)) / 1000;
}

/** CPU seconds of workerd over the time that the clients took: near 1, its one thread is the limit. */
function busy({ cpu, seconds }: Run): number {
  return cpu / seconds;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

function showStorm({ origin, single, edge, floor }: Storm): string {
  const show = (run: Run) =>
    `time ${(run.seconds / single).toFixed(2)}, busy ${percent(busy(run))}, first byte ${lastFirstByte(run).toFixed(2)} s`;
  return `${show(edge)}, origin ${origin.toFixed(3)}; floor ${show(floor)}`;
}
