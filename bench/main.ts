/**
 * `npm run bench`: the edge beside its floors and its peers. Writes bench/results/CASE.json and prints what was to be reached;
 * fails for wrong bytes and never for a time. docs/performance.md tells what the figures mean.
 */
import { parseArgs } from "node:util";
import type { Bench } from "./bench.ts";
import { type Case, runCase, type Wanted } from "./cases/case.ts";
import { cold } from "./cases/cold.ts";
import { firstByte } from "./cases/first-byte.ts";
import { hit } from "./cases/hit.ts";
import { lossyBbr, lossyCubic } from "./cases/lossy.ts";
import { storm } from "./cases/storm.ts";
import { Clients } from "./clients/clients.ts";
import { goalsOf } from "./goals.ts";
import { describeMachine } from "./machine.ts";
import { Origin } from "./origin.ts";
import { picturesOf } from "./pictures.ts";
import { goalTable, type Line } from "./report.ts";
import { mergeSeries, readResults, type Series, writeResults } from "./results.ts";
import { isServerName, missingPackages, SERVERS } from "./servers/servers.ts";

const CASES: Readonly<Record<string, Case>> = {
  hit,
  "first-byte": firstByte,
  cold,
  storm,
  "lossy-cubic": lossyCubic,
  "lossy-bbr": lossyBbr,
};
const USAGE = `usage: npm run bench -- [--short] [--only ${Object.keys(CASES).join("|")}]... [--server NAME]... [--clients N]... [--rate MB/s]... [--rounds N]`;

const many = { type: "string", multiple: true, default: [] as string[] } as const;
const { values } = parseArgs({
  options: {
    short: { type: "boolean", default: false },
    only: { ...many, default: Object.keys(CASES) },
    server: many,
    clients: many,
    rate: many,
    rounds: { type: "string" },
  },
});
const { short } = values;
const rounds = Number(values.rounds ?? (short ? 1 : 5));
if (
  !Number.isInteger(rounds) ||
  rounds < 1 ||
  values.only.some((name) => !Object.hasOwn(CASES, name)) ||
  !values.server.every(isServerName)
) {
  console.error(`${USAGE}\nservers: ${Object.keys(SERVERS).join(", ")}`);
  process.exit(2);
}
const wanted: Wanted = {
  server: (name) => values.server.length === 0 || values.server.includes(name),
  clients: (count) => values.clients.length === 0 || values.clients.includes(String(count)),
  rate: (rate) => values.rate.length === 0 || (rate !== null && values.rate.includes(String(rate / 1e6))),
};

const missing = new Set(Object.keys(SERVERS).filter(isServerName).flatMap(missingPackages));
if (missing.size > 0) console.error(`for all peers: apt-get install ${[...missing].join(" ")}`);
const machine = describeMachine();
const origin = await Origin.start();
const clients = new Clients();
const bench: Bench = { origin, clients, short, rounds, note: (text) => console.error(text) };
const lines: Line[] = [];
try {
  for (const name of values.only) {
    const one = CASES[name];
    if (one === undefined) continue;
    const lacks = one.missing?.() ?? null;
    if (lacks !== null) {
      console.error(`skipped: ${name}, which needs ${lacks}`);
      continue;
    }
    const series: Series[] = await runCase(bench, one, wanted);
    if (short) continue;
    const results = { machine, series: mergeSeries(readResults(name).series, series) };
    writeResults(name, results, { charts: picturesOf(name, results.series) });
    lines.push(...goalsOf(name, results));
  }
  if (lines.length > 0) console.log(`${machine}\n\n${goalTable(lines)}`);
  if (short) console.log("A short run: all bytes were right.");
} catch (error) {
  console.error("bench:", error);
  process.exitCode = 1;
} finally {
  clients.stop();
  await origin.stop();
}
