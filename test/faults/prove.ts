/** Shows that the runner can fail: each planted mistake is found by one of the seeds that found it before. */
import { bundleWorker } from "./bundle.ts";
import { Fleet } from "./fleet.ts";
import { MISTAKES, type Mistake } from "./mistakes.ts";
import { planOf } from "./plan.ts";
import type { RunResult } from "./run.ts";

/** Mistakes at a time: each has an edge of its own. */
const AT_ONCE = 4;

/** @returns whether all of them were found */
export async function prove(): Promise<boolean> {
  // Those that no seed is known to find can be planted only.
  const left = MISTAKES.filter(({ seeds }) => seeds.length > 0);
  let all = true;
  const work = async () => {
    for (let mistake = left.shift(); mistake !== undefined; mistake = left.shift()) {
      const found = await find(mistake);
      const said = found === null ? "NOT FOUND" : `seed ${found.plan.seed}: ${found.failures[0]?.split("\n")[0]}`;
      console.log(`${mistake.name}: ${said}`);
      all &&= found !== null;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return all;
}

async function find(mistake: Mistake): Promise<RunResult | null> {
  const fleet = await Fleet.start(await bundleWorker(mistake.changes));
  const failed: RunResult[] = [];
  try {
    await fleet.runAll(mistake.seeds.map(planOf), (result) => {
      if (result.failures.length > 0) failed.push(result);
      return failed.length === 0;
    });
  } finally {
    await fleet.end();
  }
  return failed[0] ?? null;
}
