/** What an invocation says: how often each fault was injected and reached, and what failed. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { KINDS, type KindName } from "./faults.ts";
import type { RunResult } from "./run.ts";

interface Count {
  readonly injected: number;
  readonly reached: number;
}

interface Totals {
  runs: number;
  clients: number;
  failed: number;
  /** The machine was too slow for a deadline in so many. */
  busy: number;
  seconds: number;
  readonly faults: Partial<Record<KindName, Count>>;
}

export class Report {
  readonly failed: RunResult[] = [];
  readonly #totals: Totals = { runs: 0, clients: 0, failed: 0, busy: 0, seconds: 0, faults: {} };
  readonly #began = Date.now();

  add(result: RunResult): void {
    const totals = this.#totals;
    totals.runs++;
    totals.clients += result.plan.clients.length;
    for (const [index, { name }] of result.plan.faults.entries()) {
      add(totals, name, 1, result.reached[index] ? 1 : 0);
    }
    if (result.busy) totals.busy++;
    if (result.failures.length === 0) return;
    totals.failed++;
    this.failed.push(result);
  }

  /** A table in Markdown. */
  table(): string {
    return tableOf(this.#done());
  }

  /** Adds these runs to those that the file tells of. @returns the table of all of them */
  addTo(file: string): string {
    const all = this.#done();
    if (existsSync(file)) {
      const before = JSON.parse(readFileSync(file, "utf8")) as Totals;
      for (const name of ["runs", "clients", "failed", "busy", "seconds"] as const) all[name] += before[name];
      for (const [name, { injected, reached }] of Object.entries(before.faults) as [KindName, Count][]) {
        add(all, name, injected, reached);
      }
    }
    writeFileSync(file, JSON.stringify(all));
    return tableOf(all);
  }

  #done(): Totals {
    return { ...this.#totals, faults: { ...this.#totals.faults }, seconds: (Date.now() - this.#began) / 1000 };
  }
}

/** What there is to find the reason of a failure by. */
export function writeLog(directory: string, { plan, failures, clients, lines }: RunResult): void {
  mkdirSync(directory, { recursive: true });
  const text = [...failures, JSON.stringify(plan, null, 1), ...clients, ...lines].join("\n");
  writeFileSync(join(directory, `${plan.seed}.log`), text);
}

function add({ faults }: Totals, name: KindName, injected: number, reached: number): void {
  const before = faults[name] ?? { injected: 0, reached: 0 };
  faults[name] = { injected: before.injected + injected, reached: before.reached + reached };
}

function tableOf({ runs, clients, failed, busy, seconds, faults }: Totals): string {
  const rows = (Object.keys(KINDS) as KindName[]).map((name) => {
    const { injected, reached } = faults[name] ?? { injected: 0, reached: 0 };
    return `| ${name} | ${injected} | ${reached} |`;
  });
  return [
    "| Fault | injected in runs | reached |",
    "|---|---|---|",
    ...rows,
    "",
    `${runs} runs, ${clients} clients, ${failed} failed, ${busy} on a machine that was too busy, ${Math.round(seconds)} s`,
  ].join("\n");
}
