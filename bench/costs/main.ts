/**
 * `npm run bench:costs`: what the edge costs. Counts it into bench/results/costs.json, unless `--docs` takes what is there, and puts
 * the tables into docs/costs.md and docs/deploy.md.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { describeMachine } from "../machine.ts";
import { Origin } from "../origin.ts";
import { stopAll } from "../workerd.ts";
import { count } from "./count.ts";
import { withCosts } from "./docs.ts";
import { GOAL_PER_TB, perTb } from "./tables.ts";
import type { Counted } from "./use.ts";

const RESULTS = new URL("../results/costs.json", import.meta.url);
const { values } = parseArgs({
  options: { docs: { type: "boolean", default: false }, short: { type: "boolean", default: false } },
});

if (!values.docs) {
  const origin = await Origin.start();
  try {
    const counted = await count(origin, values.short, console.error);
    const text = JSON.stringify({ machine: describeMachine(), ...counted }, null, 1);
    mkdirSync(new URL(".", RESULTS), { recursive: true });
    if (values.short) console.log(text);
    else writeFileSync(RESULTS, `${text}\n`);
  } finally {
    await stopAll();
    await origin.stop();
  }
}
if (!values.short) {
  const counted = JSON.parse(readFileSync(RESULTS, "utf8")) as Counted;
  for (const name of ["costs", "deploy"]) {
    const page = new URL(`../../docs/${name}.md`, import.meta.url);
    writeFileSync(page, withCosts(readFileSync(page, "utf8"), counted));
  }
  console.log(`hits of 2 GiB: ${perTb(counted, 2).toFixed(4)} dollars per TB; the goal is ${GOAL_PER_TB} at most`);
}
