/**
 * `npm run bench`: the edge beside bare Workers in the same runtime. Prints one table; fails for wrong bytes and never
 * for a time. docs/performance.md tells what the figures mean.
 */
import { parseArgs } from "node:util";
import type { Bench } from "./bench.ts";
import { cold } from "./cases/cold.ts";
import { firstByte } from "./cases/first-byte.ts";
import { hit } from "./cases/hit.ts";
import { storm } from "./cases/storm.ts";
import { Clients } from "./clients/clients.ts";
import { describeMachine } from "./machine.ts";
import { Origin } from "./origin.ts";
import { type Line, table } from "./report.ts";
import { stopAll } from "./workerd.ts";

const CASES: Readonly<Record<string, (bench: Bench) => Promise<Line[]>>> = {
  hit,
  "first-byte": firstByte,
  cold,
  storm,
};

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: Object.keys(CASES) },
    pairs: { type: "string" },
  },
});
const pairs = Number(values.pairs ?? (values.quick ? 1 : 5));
const unknown = values.only.find((name) => !Object.hasOwn(CASES, name));
if (unknown !== undefined || !Number.isInteger(pairs) || pairs < 1) {
  console.error("usage: npm run bench -- [--quick] [--only hit|first-byte|cold|storm]... [--pairs N]");
  process.exit(2);
}

const machine = describeMachine();
const origin = await Origin.start();
const clients = new Clients();
try {
  const lines: Line[] = [];
  for (const [name, run] of Object.entries(CASES)) {
    const note = (text: string) => console.error(text);
    if (!values.only.includes(name)) continue;
    lines.push(...(await run({ origin, clients, quick: values.quick, pairs, note })));
    await stopAll();
  }
  console.log(`${machine}\n`);
  if (values.quick) console.log("A quick run: it checks the bytes; its figures mean nothing.\n");
  console.log(table(lines));
} catch (error) {
  console.error("bench:", error);
  process.exitCode = 1;
} finally {
  await stopAll();
  clients.stop();
  await origin.stop();
}
