/** What may excuse something that is not right in a run. */
import { type Fault, kindOf } from "./faults.ts";
import type { Plan } from "./plan.ts";

export interface Excuses {
  readonly faults: readonly Fault[];
  /** The machine was too slow for a deadline of the edge's: it did what it does when R2, D1 or the Fill hang. */
  readonly busy: boolean;
}

export function excusesOf(plan: Plan, image: number, lines: readonly string[]): Excuses {
  const faults = plan.faults.filter((fault) => fault.image === image || kindOf(fault.name).scope === "edge");
  return { faults, busy: lines.some((line) => /DeadlineExceeded/.test(line)) };
}
