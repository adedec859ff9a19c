/**
 * A first download by one client: the edge beside a bare Worker that digests what it passes on. The edge is measured
 * with the local R2 simulator behind it and with a store that takes no time (../floors/edge-without-store.ts).
 */
import {
  type Bench,
  cpuPerGib,
  dropImage,
  GIB,
  MIB,
  measure,
  median,
  megabytesPerSecond,
  type Run,
  show,
  startEdgeAt,
  verify,
} from "../bench.ts";
import { dataPath, type Image } from "../origin.ts";
import type { Line } from "../report.ts";
import { startAround, startBare, type Workerd } from "../workerd.ts";

interface Workers {
  readonly edge: Workerd;
  readonly withoutStore: Workerd;
  readonly floor: Workerd;
}

type Runs = Readonly<Record<keyof Workers, Run>>;

export async function cold(bench: Bench): Promise<Line[]> {
  const { origin, pairs, note } = bench;
  const [edge, withoutStore, floor] = await Promise.all([
    startEdgeAt(origin),
    startAround("bench/floors/edge-without-store.ts", { ORIGIN_URL: origin.url }),
    startBare("bench/floors/digest-proxy.ts"),
  ]);
  const workers = { edge, withoutStore, floor };
  await runAll(bench, workers, verifyOnce);
  const runs: Runs[] = [];
  for (let pair = 1; pair <= pairs; pair++) {
    const run = await runAll(bench, workers, measure);
    runs.push(run);
    note(
      `cold, pair ${pair}: ${show(run.edge)}; without the store ${show(run.withoutStore)}; floor ${show(run.floor)}`,
    );
  }
  return [...linesOf("cold, 1 client", runs, "edge"), ...linesOf("the same, store for free", runs, "withoutStore")];
}

type Download = typeof measure;

async function runAll(bench: Bench, workers: Workers, download: Download): Promise<Runs> {
  const edge = await runEdge(bench, workers.edge, download);
  const floor = await runFloor(bench, workers.floor, download);
  const withoutStore = await runEdge(bench, workers.withoutStore, download);
  return { edge, floor, withoutStore };
}

/** An image that nobody asked for before; it goes at once, so that no background fill runs into the next run. */
async function runEdge(bench: Bench, edge: Workerd, download: Download): Promise<Run> {
  const image = await bench.origin.makeImage(sizeOf(bench));
  const run = await download(bench, edge, dataPath(image), image, 1);
  if (!run.fetched.every((one) => one.cacheStatus?.endsWith("; stored"))) throw new Error("it was no first download");
  await dropImage(edge, image);
  return run;
}

async function runFloor(bench: Bench, floor: Workerd, download: Download): Promise<Run> {
  const image = await bench.origin.makeImage(sizeOf(bench));
  const from = encodeURIComponent(bench.origin.url + dataPath(image));
  const run = await download(bench, floor, `/?from=${from}&size=${image.size}&sha512=${image.sha512}`, image, 1);
  await bench.origin.removeImage(image);
  await floor.idle();
  return run;
}

async function verifyOnce(bench: Bench, worker: Workerd, path: string, image: Image, clients: number): Promise<Run> {
  return { seconds: 0, cpu: 0, fetched: await verify(bench, worker, path, image, clients), bytes: image.size };
}

function sizeOf({ quick }: Bench): number {
  return quick ? 9 * MIB : GIB;
}

function linesOf(name: string, runs: readonly Runs[], side: "edge" | "withoutStore"): Line[] {
  const speed = (of: keyof Workers) => median(runs.map((run) => megabytesPerSecond(run[of]))).toFixed(0);
  const cpu = (of: keyof Workers) => median(runs.map((run) => cpuPerGib(run[of]))).toFixed(2);
  return [
    {
      case: name,
      figure: "throughput / digesting floor's",
      goal: { least: 0.9 },
      value: median(runs.map((run) => run.floor.seconds / run[side].seconds)),
      from: `${speed(side)} and ${speed("floor")} MB/s`,
    },
    {
      case: name,
      figure: "CPU / digesting floor's",
      goal: { most: 1.25 },
      value: median(runs.map((run) => run[side].cpu / run.floor.cpu)),
      from: `${cpu(side)} and ${cpu("floor")} s/GiB`,
    },
  ];
}
