/**
 * A stored image: the edge beside a bare Worker that returns one R2 object of the same bytes, and beside one that sends
 * them in slices as the edge does, which tells the price of slices from the price of the edge's own code.
 */
import {
  type Bench,
  cpuPerGib,
  GIB,
  MIB,
  measure,
  median,
  megabytesPerSecond,
  type Run,
  show,
  startEdgeAt,
  untilStored,
  verify,
} from "../bench.ts";
import { dataPath, type Image, TOKEN } from "../origin.ts";
import type { Line } from "../report.ts";
import { startBare, type Workerd } from "../workerd.ts";

interface Workers {
  readonly edge: Workerd;
  readonly object: Workerd;
  readonly slices: Workerd;
}

type Runs = Readonly<Record<keyof Workers, Run>>;

export async function hit(bench: Bench): Promise<Line[]> {
  const { origin, quick, note } = bench;
  const size = quick ? 9 * MIB : GIB;
  const [edge, object, slices] = await Promise.all([
    startEdgeAt(origin),
    startBare("bench/floors/r2-object.ts"),
    startBare("bench/floors/r2-slices.ts"),
  ]);
  const image = await origin.makeImage(size, true);
  note(`hit: storing ${size / MIB} MiB in the edge and in the floors`);
  await Promise.all([fillEdge(bench, edge, image), fillFloor(bench, object, image), fillFloor(bench, slices, image)]);
  const lines: Line[] = [];
  for (const clients of [1, 8]) lines.push(...(await compare(bench, { edge, object, slices }, image, clients)));
  return lines;
}

async function fillEdge(bench: Bench, edge: Workerd, image: Image): Promise<void> {
  await verify(bench, edge, dataPath(image), image, 1);
  await untilStored(edge, image);
}

async function fillFloor({ origin }: Bench, floor: Workerd, image: Image): Promise<void> {
  const from = encodeURIComponent(origin.url + dataPath(image));
  const response = await fetch(`${floor.url}/?from=${from}`, { method: "PUT", headers: { "x-auth-token": TOKEN } });
  if (response.status !== 201) throw new Error(`the floor could not be filled: status ${response.status}`);
}

async function compare(bench: Bench, workers: Workers, image: Image, clients: number): Promise<Line[]> {
  const paths = { edge: dataPath(image), object: "/", slices: `/?size=${image.size}` };
  for (const side of ["edge", "object", "slices"] as const) {
    await verify(bench, workers[side], paths[side], image, clients);
  }
  const runs: Runs[] = [];
  for (let pair = 1; pair <= bench.pairs; pair++) {
    const run = {
      edge: await measure(bench, workers.edge, paths.edge, image, clients),
      object: await measure(bench, workers.object, paths.object, image, clients),
      slices: await measure(bench, workers.slices, paths.slices, image, clients),
    };
    if (!run.edge.fetched.every((one) => one.cacheStatus?.endsWith("; hit"))) throw new Error("a hit was none");
    runs.push(run);
    const floors = `one object ${show(run.object)}; in slices ${show(run.slices)}`;
    bench.note(`hit, ${clients} clients, pair ${pair}: ${show(run.edge)}; ${floors}`);
  }
  const name = `hit, ${clients} client${clients === 1 ? "" : "s"}`;
  return [...linesOf(name, "one object's", runs, "object", true), ...linesOf(name, "slices'", runs, "slices", false)];
}

function linesOf(
  name: string,
  what: string,
  runs: readonly Runs[],
  floor: "object" | "slices",
  goals: boolean,
): Line[] {
  const speed = (side: keyof Workers) => median(runs.map((run) => megabytesPerSecond(run[side]))).toFixed(0);
  const cpu = (side: keyof Workers) => median(runs.map((run) => cpuPerGib(run[side]))).toFixed(2);
  return [
    {
      case: name,
      figure: `throughput / ${what}`,
      goal: goals ? { least: 0.95 } : null,
      value: median(runs.map((run) => run[floor].seconds / run.edge.seconds)),
      from: `${speed("edge")} and ${speed(floor)} MB/s`,
    },
    {
      case: name,
      figure: `CPU / ${what}`,
      goal: goals ? { most: 1.1 } : null,
      value: median(runs.map((run) => run.edge.cpu / run[floor].cpu)),
      from: `${cpu("edge")} and ${cpu(floor)} s/GiB`,
    },
  ];
}
