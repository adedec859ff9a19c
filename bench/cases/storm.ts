/**
 * Many clients ask at the same moment for an image that is not stored, over an origin whose line carries 20 MB/s for all
 * together: what the origin sent, when the first and the last byte came, and what each further reader cost.
 */
import {
  type Bench,
  dropImage,
  GIB,
  MIB,
  measure,
  median,
  type Run,
  startEdgeAt,
  untilStored,
  verify,
} from "../bench.ts";
import { dataPath, type Image } from "../origin.ts";
import type { Line } from "../report.ts";
import type { Workerd } from "../workerd.ts";

const RATE = 20e6;

interface Storm {
  readonly clients: number;
  /** Origin bytes, without one per probe, over the image's. */
  readonly origin: number;
  /** The last client's time over that of a single transfer straight from the origin. */
  readonly time: number;
  readonly seconds: number;
  /** Until the first byte of the client that waited longest. */
  readonly firstByte: number;
  /** CPU seconds of workerd while clients were served, over the time that took: near 1, its one thread is the limit. */
  readonly busy: number;
  /** CPU seconds until the image was read back and committed. */
  readonly cpu: number;
  /** CPU seconds of as many clients that download the same image from the store. */
  readonly hitCpu: number;
}

export async function storm(bench: Bench): Promise<Line[]> {
  const { origin, quick, note } = bench;
  const counts = quick ? [1, 4] : [1, 4, 16, 64];
  const size = quick ? 3 * MIB : 128 * MIB;
  const edge = await startEdgeAt(origin);
  note("storm: comparing the digests");
  await verifyStorm(bench, edge);
  await origin.limit(RATE);
  const rounds: Storm[][] = [];
  for (let round = 1; round <= (quick ? 1 : Math.ceil(bench.pairs / 2)); round++) {
    const storms: Storm[] = [];
    for (const clients of counts) {
      const result = await runStorm(bench, edge, size, clients);
      storms.push(result);
      note(`storm, round ${round}, ${clients} clients: ${showStorm(result)}`);
    }
    rounds.push(storms);
  }
  await origin.limit(null);
  return counts.flatMap((clients, index) => linesOf(clients, rounds, index, size));
}

/** Sharers' bytes, digested: a small image, so that digesting does not slow the sharers down. */
async function verifyStorm(bench: Bench, edge: Workerd): Promise<void> {
  const image = await bench.origin.makeImage((bench.quick ? 3 : 24) * MIB + 1);
  await bench.origin.limit(RATE);
  await verify(bench, edge, dataPath(image), image, bench.quick ? 4 : 16);
  await bench.origin.limit(null);
  await untilStored(edge, image);
  await dropImage(edge, image);
}

async function runStorm(bench: Bench, edge: Workerd, size: number, clients: number): Promise<Storm> {
  const { origin } = bench;
  const single = await runSingle(bench, edge, size);
  const image = await origin.makeImage(size);
  await origin.forgetRequests();
  const before = edge.cpuSeconds();
  const run = await measure(bench, edge, dataPath(image), image, clients);
  await untilStored(edge, image);
  const cpu = edge.cpuSeconds() - before;
  const bytes = await origin.sent();
  const hit = await measure(bench, edge, dataPath(image), image, clients);
  await dropImage(edge, image);
  return {
    clients,
    origin: bytes / size,
    time: run.seconds / single.seconds,
    seconds: run.seconds,
    firstByte: Math.max(...run.fetched.map((one) => one.firstByteMs)) / 1000,
    busy: run.cpu / run.seconds,
    cpu,
    hitCpu: hit.cpu,
  };
}

/** One transfer straight from the origin. */
async function runSingle(bench: Bench, edge: Workerd, size: number): Promise<Run> {
  const image: Image = await bench.origin.makeImage(size, true);
  const direct = { ...edge, url: bench.origin.url };
  const run = await measure(bench, direct, dataPath(image), image, 1);
  await bench.origin.removeImage(image);
  return run;
}

function linesOf(clients: number, rounds: readonly Storm[][], index: number, size: number): Line[] {
  const storms = rounds.flatMap((round) => round[index] ?? []);
  const worst = (of: (storm: Storm) => number) => Math.max(...storms.map(of));
  const name = `storm, ${clients} client${clients === 1 ? "" : "s"}`;
  const lines: Line[] = [
    {
      case: name,
      figure: "origin bytes / image",
      goal: { most: 1 },
      value: worst((storm) => storm.origin),
      from: "the worst round",
    },
    {
      case: name,
      figure: "last client's time / single transfer's",
      goal: clients === 16 ? { most: 1.2 } : null,
      value: median(storms.map((storm) => storm.time)),
      from: `${median(storms.map((storm) => storm.seconds)).toFixed(2)} s, workerd busy for ${percent(median(storms.map((storm) => storm.busy)))} of it`,
    },
    {
      case: name,
      figure: "time to the last client's first byte",
      goal: clients === 16 ? { most: 0.5 } : null,
      value: worst((storm) => storm.firstByte),
      unit: "s",
      from: "the worst round",
    },
  ];
  // With a few clients it drowns in what the store's puts cost from one run to the next.
  if (clients < 16) return lines;
  const perReader = rounds.flatMap((round) => {
    const [alone, many] = [round[0], round[index]];
    return alone === undefined || many === undefined ? [] : [furtherReader(alone, many, size)];
  });
  const hits = storms.map((storm) => storm.hitCpu / ((clients * size) / GIB));
  lines.push({
    case: name,
    figure: "CPU of a further reader / of a hit",
    goal: { most: 1.2 },
    value: median(perReader.map((reader) => reader.ratio)),
    from: `${median(perReader.map((reader) => reader.cpu)).toFixed(2)} and ${median(hits).toFixed(2)} s/GiB`,
  });
  return lines;
}

/** What a reader beyond the first one costs, CPU seconds per GiB, and over what it costs as a hit. */
function furtherReader(alone: Storm, many: Storm, size: number): { readonly cpu: number; readonly ratio: number } {
  const cpu = (many.cpu - alone.cpu) / (((many.clients - 1) * size) / GIB);
  return { cpu, ratio: cpu / (many.hitCpu / ((many.clients * size) / GIB)) };
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

function showStorm({ origin, time, busy, firstByte, cpu, hitCpu }: Storm): string {
  const times = `time ${time.toFixed(2)}, workerd busy ${percent(busy)}, first byte ${firstByte.toFixed(2)} s`;
  const figures = `origin ${origin.toFixed(3)}, ${times}`;
  return `${figures}, CPU ${cpu.toFixed(2)} s, as hits ${hitCpu.toFixed(2)} s`;
}
