/** The figures of a simulation as Markdown, and as charts. */
import type { Chart } from "../chart.ts";
import type { CapFigures } from "./cap.ts";
import type { KeptFigures } from "./kept.ts";
import { LINKS, type Row } from "./scenarios.ts";

const MIB = 2 ** 20;

export function stormTable(first: string, rows: readonly Row[]): string {
  return table(
    [
      first,
      "last machine",
      "over the line's own",
      "worst first byte",
      "calls/s, mean",
      "worst second",
      "without first calls",
      "class A",
      "class B",
      "slices in memory",
      "object busy",
      "dollars",
      "went alone",
    ],
    rows.map(({ name, figures }) => [
      name,
      `${seconds(figures.lastMs)} s`,
      figures.ratio.toFixed(2),
      `${(figures.worstFirstByteMs / 1_000).toFixed(1)} s`,
      figures.callsPerSecond.toFixed(0),
      whole(figures.worstSecond),
      whole(figures.worstSecondOfTurns),
      whole(figures.classA),
      whole(figures.classB),
      `${(figures.poolBytes / MIB).toFixed(0)} MiB`,
      `${(figures.busy * 100).toFixed(0)} %`,
      figures.dollars.toFixed(figures.dollars < 0.1 ? 4 : 2),
      whole(figures.alone),
    ]),
  );
}

export function keptTable(rows: readonly (readonly [name: string, KeptFigures])[]): string {
  return table(
    ["what", "last machine", "worst first byte", "questions to the origin", "class B", "dollars"],
    rows.map(([name, figures]) => [
      name,
      `${seconds(figures.lastMs)} s`,
      `${(figures.worstFirstByteMs / 1_000).toFixed(1)} s`,
      whole(figures.questions),
      whole(figures.classB),
      figures.dollars.toFixed(2),
    ]),
  );
}

export function capTable(rows: readonly (readonly [share: number, CapFigures])[]): string {
  return table(
    ["cap / all images", "hits", "no room", "evictions", "bytes from the origin / to clients"],
    rows.map(([share, figures]) => [
      `${(share * 100).toFixed(0)} %`,
      `${(figures.hits * 100).toFixed(1)} %`,
      `${(figures.noRoom * 100).toFixed(1)} %`,
      whole(figures.evictions),
      figures.fromOrigin.toFixed(3),
    ]),
  );
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}

export function ratioChart(lines: Readonly<Record<string, readonly Row[]>>): Chart {
  return {
    title: "The last machine's time, over what the line alone would take",
    x: { name: "machines that want the same 1 GiB, over 100 Mbit/s", scale: "log" },
    y: { name: "time / the line's own", from: 1 },
    levels: [{ name: "goal: 1.2", y: 1.2 }],
    lines: Object.entries(lines).map(([name, rows]) => ({
      name,
      points: rows.map(({ storm, figures }) => [storm.machines, round(figures.ratio)] as const),
    })),
  };
}

export function callsChart(rows: readonly Row[]): Chart {
  const line = (name: string, of: (row: Row) => number) => ({
    name,
    points: rows.map((row) => [row.storm.machines, round(of(row))] as const),
  });
  return {
    title: "Calls at the Fill: some 200 a second, however many machines come",
    x: { name: "machines that want the same 1 GiB, over 100 Mbit/s", scale: "log" },
    y: { name: "calls a second", from: 1, scale: "log" },
    levels: [
      { name: "goal: 200", y: 200 },
      { name: "what one object takes: 1,000", y: 1_000 },
    ],
    lines: [
      line("mean", ({ figures }) => figures.callsPerSecond),
      line("worst second", ({ figures }) => figures.worstSecond),
      line("worst second, without each machine's first call", ({ figures }) => figures.worstSecondOfTurns),
    ],
  };
}

export function linkChart(lines: Readonly<Record<string, readonly Row[]>>): Chart {
  return {
    title: "Where R2's puts, and not the line, are the limit: 100 machines at once",
    x: { name: "the origin's line, Mbit/s", scale: "log" },
    y: { name: "rate to each machine, Mbit/s", scale: "log" },
    lines: [
      { name: "the line", points: LINKS.map((mbit) => [mbit, mbit] as const) },
      ...Object.entries(lines).map(([name, rows]) => ({
        name,
        points: rows.map(
          ({ storm, figures }) =>
            [storm.originBits / 1e6, round((storm.imageBytes * 8) / figures.lastMs / 1e3)] as const,
        ),
      })),
    ],
  };
}

export function capChart(rows: readonly (readonly [share: number, CapFigures])[]): Chart {
  return {
    title: "What a cap costs: 200 images, the n-th asked for 1/n times as often as the first",
    x: { name: "cap, % of all images' bytes", from: 0, to: 100 },
    y: { name: "% of downloads", from: 0, to: 100 },
    lines: [
      { name: "hits", points: rows.map(([share, { hits }]) => [round(share * 100), round(hits * 100)] as const) },
      {
        name: "no room",
        points: rows.map(([share, { noRoom }]) => [round(share * 100), round(noRoom * 100)] as const),
      },
    ],
  };
}

/** Three digits behind the point: more would differ by nothing but the machine's arithmetic. */
function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

function seconds(ms: number): string {
  return ms < 100_000 ? (ms / 1_000).toFixed(1) : whole(ms / 1_000);
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en");
}
