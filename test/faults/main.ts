/**
 * npm run test:faults -- --runs N --seed S: the whole edge in workerd with faults from seeds S to S + N - 1, and what must hold
 * all the same. `--runs 1` replays one seed, or some: `--seed 7,12`. Ends with 1 where something did not hold; the first seed's plan is made smaller then.
 *
 *     --sum FILE     adds the counts to those of invocations before
 *     --plant NAME   with a mistake planted in src (mistakes.ts): to see that it is found
 *     --prove        plants one mistake after the other: each must be found
 *     --no-shrink    the failing plan as it is
 *     --logs DIR     writes a file there for each seed that failed: its plan, its clients, the edge's log
 */
import { parseArgs } from "node:util";
import { dropRuntimeNoise } from "../support/node/runtime-noise.ts";
import { bundleWorker } from "./bundle.ts";
import { Fleet } from "./fleet.ts";
import { mistakeOf } from "./mistakes.ts";
import { planOf } from "./plan.ts";
import { prove } from "./prove.ts";
import { Report, writeLog } from "./report.ts";
import { shrink } from "./shrink.ts";

dropRuntimeNoise();

const { values } = parseArgs({
  allowNegative: true,
  options: {
    runs: { type: "string", default: "200" },
    seed: { type: "string", default: "1" },
    sum: { type: "string" },
    plant: { type: "string" },
    logs: { type: "string" },
    shrink: { type: "boolean", default: true },
    prove: { type: "boolean", default: false },
  },
});
const runs = Number(values.runs);
const firsts = values.seed.split(",").map(Number);
if (!firsts.every(Number.isSafeInteger) || !(runs > 0)) throw new Error("--seed and --runs must be whole numbers");
const plans = firsts.flatMap((first) => Array.from({ length: runs }, (_, index) => planOf(first + index)));

process.exitCode = (values.prove ? await prove() : await search()) ? 0 : 1;

/** @returns whether all held */
async function search(): Promise<boolean> {
  const fleet = await Fleet.start(
    await bundleWorker(values.plant === undefined ? [] : mistakeOf(values.plant).changes),
  );
  const report = new Report();
  try {
    await fleet.runAll(plans, (result) => {
      report.add(result);
      if (result.failures.length === 0) return true;
      console.log(
        `seed ${result.plan.seed} (${result.ms} ms, slowest ping ${result.slowest} ms): ${result.failures.join("\n    ")}`,
      );
      if (values.logs !== undefined) writeLog(values.logs, result);
      return values.plant === undefined;
    });
    const leftovers = await fleet.leftovers();
    for (const left of leftovers) console.log(`something is left behind all runs: ${left}`);
    console.log(values.sum === undefined ? report.table() : report.addTo(values.sum));
    const failed = report.failed.map(({ plan }) => plan).sort((one, other) => one.seed - other.seed)[0];
    if (failed === undefined) return leftovers.length === 0;
    console.log(`first failing seed: ${failed.seed}`);
    const smaller = values.shrink
      ? await shrink(failed, async (plan) => (await fleet.run(plan)).failures.length > 0)
      : failed;
    console.log(`its plan: ${JSON.stringify(smaller)}`);
    return false;
  } finally {
    await fleet.end();
  }
}
