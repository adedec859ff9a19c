/** What a run measured, as bench/results has it: docs and charts are made from these files, and from nothing else. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { median } from "./bench.ts";
import type { ServerName } from "./servers/servers.ts";

/** One measured run. */
export interface Sample {
  /** From the start of all clients to the last one's last byte. */
  readonly seconds: number;
  /** To the first byte of the client that waited longest, seconds; null: there were no clients. */
  readonly firstByte: number | null;
  /** CPU seconds, by process. */
  readonly cpu: Readonly<Record<string, number>>;
  /** Of the clients' process: near 1 per second, they are the limit. */
  readonly clientsCpu: number;
  /** Image bytes that the origin sent. */
  readonly originBytes: number;
}

/** What a server was asked to do. */
export interface Task {
  readonly clients: number;
  /** Bytes of the image. */
  readonly size: number;
  /** Of the origin's line, bytes per second; null: as fast as it goes. */
  readonly rate: number | null;
}

export interface Series extends Task {
  readonly server: ServerName;
  /** When its round began: those of one time took turns. */
  readonly at: string;
  readonly samples: readonly Sample[];
}

export interface Results {
  readonly machine: string;
  readonly series: readonly Series[];
}

/** Whether both are one row of a table. */
export function sameTask(one: Task, other: Task): boolean {
  return one.clients === other.clients && one.size === other.size && one.rate === other.rate;
}

function fileOf(name: string): URL {
  return new URL(`results/${name}.json`, import.meta.url);
}

export function readResults(name: string): Results {
  if (!existsSync(fileOf(name))) return { machine: "", series: [] };
  return JSON.parse(readFileSync(fileOf(name), "utf8")) as Results;
}

/** Puts new series in the place of those of the same servers and tasks; the others stay. */
export function mergeSeries(before: readonly Series[], after: readonly Series[]): Series[] {
  const replaced = (one: Series) => after.some((other) => other.server === one.server && sameTask(one, other));
  return [...before.filter((one) => !replaced(one)), ...after];
}

/** @param more beside the results: charts */
export function writeResults(name: string, results: Results, more: object): void {
  mkdirSync(new URL(".", fileOf(name)), { recursive: true });
  // One sample per line: a run changes what it measured, and no more.
  const series = results.series.map(({ samples, ...task }) => {
    const lines = samples.map((sample) => `        ${JSON.stringify(sample)}`).join(",\n");
    return `    { ${JSON.stringify(task).slice(1, -1)}, "samples": [\n${lines}\n    ] }`;
  });
  const rest = JSON.stringify(more, null, 1).slice(1, -1).trimEnd();
  const text = `{\n  "machine": ${JSON.stringify(results.machine)},\n  "series": [\n${series.join(",\n")}\n  ]${rest === "" ? "" : `,${rest}`}\n}\n`;
  writeFileSync(fileOf(name), text);
}

export interface Spread {
  readonly value: number;
  readonly least: number;
  readonly most: number;
}

export function spreadOf(series: Series, figure: (sample: Sample) => number): Spread {
  const values = series.samples.map(figure);
  return { value: median(values), least: Math.min(...values), most: Math.max(...values) };
}

/** The ratio of two medians, and the ratios round by round that are farthest apart. */
export function ratioOf(one: Series, other: Series, figure: (sample: Sample) => number): Spread {
  const value = median(one.samples.map(figure)) / median(other.samples.map(figure));
  const rounds = one.samples.flatMap((sample, round) => {
    const beside = other.samples[round];
    return one.at !== other.at || beside === undefined ? [] : [figure(sample) / figure(beside)];
  });
  return { value, least: Math.min(value, ...rounds), most: Math.max(value, ...rounds) };
}

export function cpuOf(sample: Sample): number {
  return Object.values(sample.cpu).reduce((sum, seconds) => sum + seconds, 0);
}
