/** What may excuse something that is not right in a run. */
import { type Fault, kindOf } from "./faults.ts";
import type { Plan } from "./plan.ts";

export interface Excuses {
  readonly faults: readonly Fault[];
  /** The machine was too slow for a deadline of the edge's: it did what it does when R2, D1 or the Fill hang. */
  readonly busy: boolean;
}

/** The edge answers a ping within some ms; one that took so long, ms, had deadlines of its own pass elsewhere. */
const SLOW_MS = 600;

/** @param slowest answer to a ping meanwhile, ms @param lines that the edge has logged of the image */
export function excusesOf(plan: Plan, image: number, slowest: number, lines: readonly string[]): Excuses {
  const faults = plan.faults.filter((fault) => fault.image === image || kindOf(fault.name).scope === "edge");
  // What hangs by a fault of the run says no more than its kind does.
  const hangs = faults.some(({ act }) => act.do === "call" && act.injection.how === "hangs");
  const passed = !hangs && lines.some((line) => line.includes("DeadlineExceeded"));
  return { faults, busy: passed || slowest >= SLOW_MS };
}
