/**
 * A first download by one client, as fast as it goes: the edge with the local R2 simulator beside a bare Durable Object that
 * stores the same slices (and one that digests and is read as well), and the edge with a store that takes no time (../floors/edge-without-store.ts) beside a bare Worker
 * that digests what it passes on.
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
  verify,
} from "../bench.ts";
import { dropFromFillFloor, fillPath, storeInFillFloor } from "../fill-floor.ts";
import { dataPath, type Image } from "../origin.ts";
import type { Line } from "../report.ts";
import { startAround, startBare, startEdge, type Workerd } from "../workerd.ts";

interface Pair {
  readonly edge: Run;
  readonly floor: Run;
}

export async function cold(bench: Bench): Promise<Line[]> {
  return [await coldBesideFill(bench), ...(await coldForFree(bench))];
}

async function coldBesideFill(bench: Bench): Promise<Line> {
  const vars = { ORIGIN_URL: bench.origin.url };
  const [edge, floor] = await Promise.all([startEdge(vars), startBare("bench/floors/fill.ts", "with-fill")]);
  const size = bench.quick ? 9 * MIB : 256 * MIB;
  await runEdge(bench, edge, size, verifyOnce);
  await runFillFloor(bench, floor, size, verifyOnce);
  const runs: (Pair & { readonly along: Run })[] = [];
  for (let pair = 1; pair <= bench.pairs; pair++) {
    const run = {
      edge: await runEdge(bench, edge, size, measure),
      floor: await runFillFloor(bench, floor, size, "store"),
      along: await runFillFloor(bench, floor, size, measure),
    };
    runs.push(run);
    const floors = `floor ${show(run.floor)}; the same with a digest and a client ${show(run.along)}`;
    bench.note(`cold, pair ${pair}: ${show(run.edge)}; ${floors}`);
  }
  const along = runs.map((run) => ({ ...run, floor: run.along }));
  return {
    case: "cold, 1 client",
    figure: "throughput / a bare fill's",
    goal: { least: 0.9 },
    value: median(runs.map((run) => run.floor.seconds / run.edge.seconds)),
    floor: median(runs.map((run) => run.floor.seconds / run.along.seconds)),
    from: `${speed(runs, "edge")} and ${speed(runs, "floor")} MB/s, CPU ${cpu(runs, "edge")} and ${cpu(runs, "floor")} s/GiB; the bare fill with a digest and a client ${speed(along, "floor")} MB/s, CPU ${cpu(along, "floor")} s/GiB`,
  };
}

async function coldForFree(bench: Bench): Promise<Line[]> {
  const vars = { ORIGIN_URL: bench.origin.url };
  const [edge, floor] = await Promise.all([
    startAround("bench/floors/edge-without-store.ts", vars),
    startBare("bench/floors/digest-proxy.ts"),
  ]);
  const size = bench.quick ? 9 * MIB : GIB / 2;
  // What comes from there are other bytes than the image's: only their number is compared.
  await runEdge(bench, edge, size, measure);
  await runDigestFloor(bench, floor, size, verifyOnce);
  const pairs: Pair[] = [];
  for (let pair = 1; pair <= bench.pairs; pair++) {
    const run = {
      edge: await runEdge(bench, edge, size, measure),
      floor: await runDigestFloor(bench, floor, size, measure),
    };
    pairs.push(run);
    bench.note(`cold, store for free, pair ${pair}: ${show(run.edge)}; floor ${show(run.floor)}`);
  }
  const name = "the same, store for free";
  return [
    {
      case: name,
      figure: "CPU / digesting floor's",
      goal: { most: 1.25 },
      value: median(pairs.map((pair) => pair.edge.cpu / pair.floor.cpu)),
      floor: null,
      from: `${cpu(pairs, "edge")} and ${cpu(pairs, "floor")} s/GiB`,
    },
    {
      case: name,
      figure: "throughput / digesting floor's",
      goal: null,
      value: median(pairs.map((pair) => pair.floor.seconds / pair.edge.seconds)),
      floor: null,
      from: `${speed(pairs, "edge")} and ${speed(pairs, "floor")} MB/s`,
    },
  ];
}

type Download = typeof measure;

async function verifyOnce(bench: Bench, worker: Workerd, path: string, image: Image, clients: number): Promise<Run> {
  return { seconds: 0, cpu: 0, fetched: await verify(bench, worker, path, image, clients), bytes: image.size };
}

/** An image that nobody asked for before; it goes at once, so that its commit does not run into the next run. */
async function runEdge(bench: Bench, edge: Workerd, size: number, download: Download): Promise<Run> {
  const image = await bench.origin.makeImage(size);
  const run = await download(bench, edge, dataPath(image), image, 1);
  if (!run.fetched.every((one) => one.cacheStatus?.endsWith("; stored"))) throw new Error("it was no first download");
  await dropImage(edge, image);
  return run;
}

/** @param download "store": timed without a client and without a digest */
async function runFillFloor(bench: Bench, floor: Workerd, size: number, download: Download | "store"): Promise<Run> {
  const image = await bench.origin.makeImage(size);
  const run =
    download === "store"
      ? await storeInFillFloor(bench, floor, image)
      : await download(bench, floor, fillPath(bench, image), image, 1);
  await dropFromFillFloor(bench, floor, image);
  return run;
}

async function runDigestFloor(bench: Bench, floor: Workerd, size: number, download: Download): Promise<Run> {
  const image = await bench.origin.makeImage(size);
  const from = encodeURIComponent(bench.origin.url + dataPath(image));
  const run = await download(bench, floor, `/?from=${from}&size=${image.size}&sha512=${image.sha512}`, image, 1);
  await bench.origin.removeImage(image);
  await floor.idle();
  return run;
}

function speed(pairs: readonly Pair[], side: keyof Pair): string {
  return median(pairs.map((pair) => megabytesPerSecond(pair[side]))).toFixed(0);
}

function cpu(pairs: readonly Pair[], side: keyof Pair): string {
  return median(pairs.map((pair) => cpuPerGib(pair[side]))).toFixed(2);
}
