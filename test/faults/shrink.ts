/** Makes a failing plan smaller for as long as it fails: without a fault, without a client. */
import type { Plan } from "./plan.ts";

/** What happens when depends on the machine as well: a plan is held to pass when it passed so often. */
const TRIES = 2;
const MAX_RUNS = 60;

export async function shrink(plan: Plan, fails: (plan: Plan) => Promise<boolean>): Promise<Plan> {
  let smallest = plan;
  let runs = 0;
  const failsStill = async (candidate: Plan) => {
    for (let tries = 0; tries < TRIES && runs < MAX_RUNS; tries++) {
      runs++;
      if (await fails(candidate)) return true;
    }
    return false;
  };
  for (const what of ["clients", "faults"] as const) {
    for (let at = smallest[what].length - 1; at >= 0; at--) {
      const candidate = { ...smallest, [what]: smallest[what].filter((_, index) => index !== at) };
      if (await failsStill(candidate)) smallest = candidate;
    }
  }
  return smallest;
}
