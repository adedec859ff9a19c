/** All tables and charts of docs/scale.md, and what is wrong with them. */
import type { Chart } from "../chart.ts";
import { serveUnderCap } from "./cap.ts";
import { serveKept } from "./kept.ts";
import { MEASURED, MEASURED_BYTES } from "./measured.ts";
import { CLOUDFLARE, SLOW_R2 } from "./platform.ts";
import { AT_ONCE, BY_MACHINES, byLink, predict, type Row, run, SIZES, TROUBLE } from "./scenarios.ts";
import { callsChart, capChart, capTable, keptTable, linkChart, ratioChart, stormTable, table } from "./tables.ts";

const GIB = 2 ** 30;
/** How far the simulation may be from what was measured. */
const AGREES = 0.15;
/** 10,000 readers: the last one over the line's own time, and calls a second at the Fill. */
const RATIO = 1.2;
const CALLS = 200;

export interface Report {
  readonly tables: Map<string, string>;
  readonly charts: Map<string, Chart>;
  /** Goals that are missed, and figures that do not agree with what was measured. */
  readonly wrong: readonly string[];
}

/** What the goals are about, and the comparison with what was measured: some seconds. */
export async function goals(): Promise<Report & { readonly byMachines: readonly Row[] }> {
  const byMachines = await run(BY_MACHINES);
  const wrong: string[] = [];
  for (const { name, figures } of byMachines) {
    if (figures.ratio > RATIO)
      wrong.push(`${name} machines take ${figures.ratio.toFixed(2)} times the line's own time`);
    if (figures.callsPerSecond > CALLS)
      wrong.push(`${name} machines make ${figures.callsPerSecond.toFixed(0)} calls/s`);
    if (figures.alone > 0) wrong.push(`${figures.alone} of ${name} machines went alone`);
  }
  const compared: string[][] = [];
  for (const { clients, bytesPerSecond, seconds } of MEASURED) {
    const predicted = await predict(clients, bytesPerSecond, MEASURED_BYTES);
    const off = predicted / seconds - 1;
    if (Math.abs(off) > AGREES) wrong.push(`${clients} clients: ${predicted.toFixed(2)} s, measured ${seconds} s`);
    const percent = `${off < 0 ? "-" : "+"}${Math.abs(off * 100).toFixed(0)} %`;
    compared.push([`${clients}`, `${bytesPerSecond / 1e6} MB/s`, `${seconds} s`, `${predicted.toFixed(2)} s`, percent]);
  }
  const tables = new Map([
    ["machines", stormTable("machines", byMachines)],
    ["measured", table(["clients", "origin's line", "measured", "simulated", "off by"], compared)],
  ]);
  return { tables, charts: new Map([["scale-calls", callsChart(byMachines)]]), wrong, byMachines };
}

/** All of it: under a minute. */
export async function all(): Promise<Report> {
  const { tables, charts, wrong, byMachines } = await goals();
  const atOnce = await run(AT_ONCE);
  tables.set("at-once", stormTable("machines", atOnce));
  const slow = await run(BY_MACHINES, { platform: SLOW_R2 });
  charts.set(
    "scale-ratio",
    ratioChart({ "within a minute": byMachines, "all at once": atOnce, "R2 at its worst": slow }),
  );
  const links: Record<string, readonly Row[]> = {};
  for (const gib of SIZES) links[`${gib} GiB`] = await run(byLink(gib, 4));
  links["10 GiB, SLICE_BYTES of 8 MiB"] = await run(byLink(10, 8));
  tables.set("links", stormTable("image, line, slices", Object.values(links).flat()));
  charts.set("scale-links", linkChart(links));
  tables.set("trouble", stormTable("what happens", await run(TROUBLE)));
  tables.set("kept", keptTable(await kept()));
  const caps = [0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1].map((share) => [share, underCap(share)] as const);
  tables.set("cap", capTable(caps));
  charts.set("scale-cap", capChart(caps));
  return { tables, charts, wrong };
}

async function kept() {
  const usual = {
    platform: CLOUDFLARE,
    seed: 13,
    machines: 10_000,
    imageBytes: GIB,
    machineBits: 1e9,
    within: 60_000,
    originMs: 100,
    questionsPerSecond: 1e6,
  };
  const rows = [
    ["1 GiB to 10,000 machines within a minute", {}],
    ["the same, all at once", { within: 0 }],
    ["the same, at an origin that answers 400 questions/s", { within: 0, questionsPerSecond: 400 }],
    ["the same, R2 at its worst", { platform: SLOW_R2 }],
    ["50 GiB in parts to 10,000 machines within a minute", { imageBytes: 50 * GIB }],
  ] as const;
  return Promise.all(rows.map(async ([name, change]) => [name, await serveKept({ ...usual, ...change })] as const));
}

function underCap(share: number) {
  const day = 86_400_000;
  return serveUnderCap({
    seed: 13,
    images: 200,
    least: GIB / 4,
    most: 16 * GIB,
    share,
    downloads: 20_000,
    everyMs: day / 2_000,
    originBits: 1e9,
  });
}
