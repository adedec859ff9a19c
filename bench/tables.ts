/** Tables of docs/performance.md, from results. */

import { GIB, MIB } from "./bench.ts";
import { clientsOf } from "./goals.ts";
import { formatSpread, table } from "./report.ts";
import { cpuOf, ratioOf, readResults, type Sample, type Series, sameTask, spreadOf, type Task } from "./results.ts";
import { lacksOf, SERVERS, type ServerName } from "./servers/servers.ts";

/** By their names in docs. */
export function tables(): Map<string, string> {
  const { series: hit } = readResults("hit");
  const { series: storm } = readResults("storm");
  const all: [string, string][] = [
    ...tasksOf(hit).map(({ clients }): [string, string] => [
      `hit-${clients}`,
      speedTable(hit, { clients }, "r2-object"),
    ]),
    ["first-byte", firstByteTable(readResults("first-byte").series)],
    ["cold", speedTable(readResults("cold").series, { size: 256 * MIB }, "fill")],
    ["cold-for-free", speedTable(readResults("cold").series, { size: 512 * MIB }, "digest-proxy")],
    ...[20, 40].map((rate): [string, string] => [
      `storm-${rate}`,
      stormTable(storm.filter((series) => series.rate === rate * 1e6)),
    ]),
    ...["cubic", "bbr"].map((control): [string, string] => {
      const name = `lossy-${control}`;
      return [name, stormTable(readResults(name).series)];
    }),
  ];
  return new Map(all);
}

function speedTable(all: readonly Series[], of: Partial<Task>, floor: ServerName): string {
  const series = all.filter((one) => Object.entries(of).every(([name, value]) => one[name as keyof Task] === value));
  const base = series.find(({ server }) => server === floor);
  const rows = series.map((one) => {
    const megabytes = (sample: Sample) => (one.size * one.clients) / 1e6 / sample.seconds;
    const cpu = (sample: Sample) => cpuOf(sample) / ((one.size * one.clients) / GIB);
    return [
      SERVERS[one.server].title,
      formatSpread(spreadOf(one, megabytes), 0),
      base === undefined ? "" : formatSpread(ratioOf(one, base, (sample) => 1 / sample.seconds)),
      spreadOf(one, cpu).value.toFixed(2),
      lacksOf(one.server),
    ];
  });
  return table([["Server", "MB/s", `/ ${SERVERS[floor].title}`, "CPU, s/GiB", "Without"], ...rows]);
}

function firstByteTable(series: readonly Series[]): string {
  const rows = series.map((one) => [
    SERVERS[one.server].title,
    formatSpread(
      spreadOf(one, ({ firstByte }) => (firstByte ?? Number.NaN) * 1000),
      1,
    ),
    lacksOf(one.server),
  ]);
  return table([["Server", "First byte, ms", "Without"], ...rows]);
}

/** In each cell: last byte, worst first byte, origin bytes over the image's. */
function stormTable(series: readonly Series[]): string {
  const tasks = tasksOf(series);
  const servers = [...new Set(series.map(({ server }) => server))];
  const rows = servers.map((server) => [
    SERVERS[server].title,
    ...tasks.map((task) => {
      const one = series.find((other) => other.server === server && sameTask(other, task));
      if (one === undefined) return "-";
      const last = spreadOf(one, ({ seconds }) => seconds).value.toFixed(2);
      const first = spreadOf(one, ({ firstByte }) => firstByte ?? Number.NaN).most.toFixed(2);
      return `${last} s, ${first} s, ${spreadOf(one, ({ originBytes }) => originBytes / one.size).most.toFixed(2)}`;
    }),
    lacksOf(server),
  ]);
  return table([["Server", ...tasks.map(clientsOf), "Without"], ...rows]);
}

function tasksOf(series: readonly Series[]): Task[] {
  const tasks = series.filter((one, at) => series.findIndex((other) => sameTask(one, other)) === at);
  return tasks.toSorted((one, other) => one.clients - other.clients);
}
