/** Where and when a run took place: figures mean nothing without it. */
import { cpus, loadavg, totalmem } from "node:os";
import { GIB } from "./bench.ts";

export function describeMachine(): string {
  const all = cpus();
  const memory = `${(totalmem() / GIB).toFixed(0)} GiB`;
  const model = all[0]?.model.trim() ?? "an unknown CPU";
  const [load] = loadavg();
  return `${new Date().toISOString().slice(0, 10)}; ${all.length} x ${model}, ${memory}, Node ${process.versions.node}; load before the run ${load?.toFixed(2)}`;
}
