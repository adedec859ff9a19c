/** A kept image: the edge beside a bare Worker that returns one R2 object of the same bytes. */
import {
  type Bench,
  cpuPerGib,
  fillEdge,
  fillObjectFloor,
  GIB,
  MIB,
  measure,
  median,
  megabytesPerSecond,
  type Run,
  show,
  verify,
} from "../bench.ts";
import { dataPath, type Image } from "../origin.ts";
import type { Line } from "../report.ts";
import { startBare, startEdge, type Workerd } from "../workerd.ts";

interface Workers {
  readonly edge: Workerd;
  readonly floor: Workerd;
}

type Runs = Readonly<Record<keyof Workers, Run>>;

export async function hit(bench: Bench): Promise<Line[]> {
  const { origin, quick, note } = bench;
  const size = quick ? 9 * MIB : GIB;
  const [edge, floor] = await Promise.all([
    startEdge({ ORIGIN_URL: origin.url }),
    startBare("bench/floors/r2-object.ts"),
  ]);
  const image = await origin.makeImage(size);
  note(`hit: storing ${size / MIB} MiB in the edge and in the floor`);
  await fillEdge(bench, edge, image);
  await fillObjectFloor(bench, floor, image);
  const lines: Line[] = [];
  for (const clients of [1, 8]) lines.push(...(await compare(bench, { edge, floor }, image, clients)));
  return lines;
}

async function compare(bench: Bench, { edge, floor }: Workers, image: Image, clients: number): Promise<Line[]> {
  await verify(bench, edge, dataPath(image), image, clients);
  await verify(bench, floor, "/", image, clients);
  const runs: Runs[] = [];
  for (let pair = 1; pair <= bench.pairs; pair++) {
    const run = {
      edge: await measure(bench, edge, dataPath(image), image, clients),
      floor: await measure(bench, floor, "/", image, clients),
    };
    if (!run.edge.fetched.every((one) => one.cacheStatus?.endsWith("; hit"))) throw new Error("a hit was none");
    runs.push(run);
    bench.note(`hit, ${clients} clients, pair ${pair}: ${show(run.edge)}; floor ${show(run.floor)}`);
  }
  return linesOf(`hit, ${clients} client${clients === 1 ? "" : "s"}`, runs);
}

function linesOf(name: string, runs: readonly Runs[]): Line[] {
  const speed = (side: keyof Workers) => median(runs.map((run) => megabytesPerSecond(run[side]))).toFixed(0);
  const cpu = (side: keyof Workers) => median(runs.map((run) => cpuPerGib(run[side]))).toFixed(2);
  return [
    {
      case: name,
      figure: "throughput / one object's",
      goal: { least: 0.95 },
      value: median(runs.map((run) => run.floor.seconds / run.edge.seconds)),
      floor: null,
      from: `${speed("edge")} and ${speed("floor")} MB/s`,
    },
    {
      case: name,
      figure: "CPU / one object's",
      goal: { most: 1.1 },
      value: median(runs.map((run) => run.edge.cpu / run.floor.cpu)),
      floor: null,
      from: `${cpu("edge")} and ${cpu("floor")} s/GiB`,
    },
  ];
}
