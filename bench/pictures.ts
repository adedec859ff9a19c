/** What of a case's results is drawn (charts.ts). */
import { GIB } from "./bench.ts";
import type { Chart } from "./chart.ts";
import { clientsOf } from "./goals.ts";
import { cpuOf, type Sample, type Series, spreadOf } from "./results.ts";
import { SERVERS, type ServerName } from "./servers/servers.ts";

export function picturesOf(name: string, series: readonly Series[]): Record<string, Chart> {
  if (name === "hit") {
    const bytes = (one: Series) => one.size * one.clients;
    return {
      "hit-throughput": bars("Hits: throughput of all clients together", "MB/s", series, (one) => {
        return spreadOf(one, ({ seconds }) => bytes(one) / 1e6 / seconds).value;
      }),
      "hit-cpu": bars("Hits: CPU of the server", "CPU, s/GiB", series, (one) => {
        return spreadOf(one, (sample) => cpuOf(sample) / (bytes(one) / GIB)).value;
      }),
    };
  }
  if (name === "storm") {
    const slow = series.filter(({ rate, server }) => rate === 20e6 && server !== "origin");
    return {
      "storm-last-byte": lines(
        "Storm at 20 MB/s, 128 MiB: the last client's last byte",
        slow,
        ({ seconds }) => seconds,
      ),
      "storm-first-byte": lines(
        "Storm at 20 MB/s, 128 MiB: the worst first byte",
        slow,
        ({ firstByte }) => firstByte ?? 0,
      ),
    };
  }
  return {};
}

function bars(title: string, unit: string, series: readonly Series[], figure: (series: Series) => number): Chart {
  const servers = namesOf(series);
  const counts = [...new Set(series.map(({ clients }) => clients))].sort((a, b) => a - b);
  return {
    title,
    y: { name: unit, from: 0 },
    groups: servers.map((server) => SERVERS[server].title.replace(" ", "\n")),
    bars: counts.map((clients) => ({
      name: clientsOf({ clients }),
      values: servers.map((server) => {
        const one = series.find((other) => other.server === server && other.clients === clients);
        return one === undefined ? null : Number(figure(one).toFixed(3));
      }),
    })),
  };
}

function lines(title: string, series: readonly Series[], figure: (sample: Sample) => number): Chart {
  return {
    title,
    x: { name: "clients", scale: "log" },
    y: { name: "s", from: 0 },
    lines: namesOf(series).map((server) => ({
      name: SERVERS[server].title,
      points: series
        .filter((one) => one.server === server)
        .toSorted((one, other) => one.clients - other.clients)
        .map((one) => [one.clients, spreadOf(one, figure).value] as const),
    })),
  };
}

function namesOf(series: readonly Series[]): ServerName[] {
  return [...new Set(series.map(({ server }) => server))];
}
