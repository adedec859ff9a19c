/** What was to be reached, what was, and whether: lines of report.ts, from results. */
import type { Line } from "./report.ts";
import { cpuOf, type Results, ratioOf, type Sample, type Series, sameTask, spreadOf } from "./results.ts";
import { ROUND_TRIP_MS, type ServerName } from "./servers/servers.ts";

const seconds = (sample: Sample) => sample.seconds;
const speed = (sample: Sample) => 1 / sample.seconds;
const firstByte = (sample: Sample) => sample.firstByte ?? Number.NaN;

/** Of one case's results. What was not measured has no line. */
export function goalsOf(name: string, { series }: Results): Line[] {
  const of = GOALS[name];
  return of === undefined ? [] : of(series);
}

const GOALS: Readonly<Record<string, (series: readonly Series[]) => Line[]>> = {
  hit: (series) =>
    pairs(series, "edge", "r2-object").flatMap(([edge, floor]) => [
      {
        case: `hit, ${clientsOf(edge)}`,
        figure: "throughput / a bare R2 Worker's",
        goal: { least: 0.95 },
        ...ratioOf(edge, floor, speed),
      },
      {
        case: `hit, ${clientsOf(edge)}`,
        figure: "CPU / a bare R2 Worker's",
        goal: { most: 1.1 },
        ...ratioOf(edge, floor, cpuOf),
      },
    ]),

  "first-byte": (series) => [
    ...pairs(series, "edge", "r2-object-asking").map(([edge, floor]) => ({
      case: `hit, origin ${ROUND_TRIP_MS} ms away`,
      figure: "time to the first byte / round trip",
      goal: { most: 1.15 },
      ...spreadOf(edge, (sample) => (firstByte(sample) * 1000) / ROUND_TRIP_MS),
      floor: (spreadOf(floor, firstByte).value * 1000) / ROUND_TRIP_MS,
    })),
    ...pairs(series, "edge-remembering", "r2-object").map(([edge, floor]) => ({
      case: "the same, right remembered",
      figure: "time to the first byte",
      goal: { most: 15 },
      unit: "ms",
      ...spreadOf(edge, (sample) => firstByte(sample) * 1000),
      floor: spreadOf(floor, firstByte).value * 1000,
    })),
  ],

  cold: (series) => [
    ...pairs(series, "edge", "store").map(([edge, store]) => ({
      case: "cold, 1 client",
      figure: "throughput / a bare fill's, without digest and client",
      goal: { least: 0.9 },
      ...ratioOf(edge, store, speed),
      floor: pairs(series, "fill", "store").map(([fill]) => ratioOf(fill, store, speed).value)[0] ?? null,
    })),
    ...pairs(series, "edge", "fill").map(([edge, fill]) => ({
      case: "cold, 1 client",
      figure: "throughput / a bare fill's",
      goal: null,
      ...ratioOf(edge, fill, speed),
    })),
    ...pairs(series, "edge-without-store", "digest-proxy").map(([edge, proxy]) => ({
      case: "the same, store for free",
      figure: "CPU / a digesting proxy's",
      goal: { most: 1.25 },
      ...ratioOf(edge, proxy, cpuOf),
    })),
  ],

  storm: (series) => series.filter(({ server }) => server === "edge").flatMap((edge) => stormGoals(series, edge)),
};

/** What the last byte's time over one transfer's may be. */
const STORM_TIMES: Readonly<Record<number, number>> = { 1: 1.1, 4: 1.2, 16: 1.2 };

function stormGoals(series: readonly Series[], edge: Series): Line[] {
  const name = `${edge.clients === 1 ? "cold" : "storm"}, ${clientsOf(edge)}, ${(edge.rate ?? 0) / 1e6} MB/s`;
  const beside = (server: ServerName, clients = edge.clients) =>
    series.filter((one) => one.server === server && sameTask(one, { ...edge, clients }));
  const floor = beside("fill");
  const most = STORM_TIMES[edge.clients];
  return [
    ...beside("origin", 1).map((single) => ({
      case: name,
      figure: "last byte / one transfer's",
      goal: most === undefined ? null : { most },
      ...ratioOf(edge, single, seconds),
      floor: floor.map((one) => ratioOf(one, single, seconds).value)[0] ?? null,
    })),
    ...(edge.clients === 64 ? floor : []).map((one) => ({
      case: name,
      figure: "last byte / a bare fill's",
      goal: { most: 1.3 },
      ...ratioOf(edge, one, seconds),
    })),
    ...(edge.clients === 1 ? beside("nginx-slice") : []).map((one) => ({
      case: name,
      figure: "last byte / nginx slice's",
      goal: { most: 1 },
      ...ratioOf(edge, one, seconds),
    })),
    {
      case: name,
      figure: "worst first byte",
      goal: { most: 0.3 },
      unit: "s",
      ...worst(edge, firstByte),
      floor: floor.map((one) => worst(one, firstByte).value)[0] ?? null,
    },
    {
      case: name,
      figure: "origin bytes / image",
      goal: { most: 1 },
      ...worst(edge, ({ originBytes }) => originBytes / edge.size),
    },
  ];
}

function worst(series: Series, figure: (sample: Sample) => number) {
  const spread = spreadOf(series, figure);
  return { ...spread, value: spread.most };
}

/** The series of both that had the same task. */
function pairs(series: readonly Series[], one: ServerName, other: ServerName): [Series, Series][] {
  return series.flatMap((first) => {
    if (first.server !== one) return [];
    const second = series.find((two) => two.server === other && sameTask(first, two));
    return second === undefined ? [] : [[first, second] as [Series, Series]];
  });
}

export function clientsOf({ clients }: { readonly clients: number }): string {
  return clients === 1 ? "1 client" : `${clients} clients`;
}
