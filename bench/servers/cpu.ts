/** What CPU processes used, from /proc. */
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Meter } from "./server.ts";

/** Linux counts CPU time in this unit (USER_HZ, proc(5)). */
const TICK_SECONDS = 0.01;
/** Processes that used at most one tick in this time do nothing any more. */
const IDLE_MS = 500;
const IDLE_PATIENCE_MS = 300_000;

export function processMeter(name: string, pid: number): Meter {
  return { name, cpuSeconds: () => read(pid)?.seconds ?? 0 };
}

/** All processes of a group, among them those that the first one started. */
export function groupMeter(name: string, group: number): Meter {
  return {
    name,
    cpuSeconds: () => {
      const all = readdirSync("/proc").flatMap((entry) => (/^\d+$/.test(entry) ? [read(Number(entry))] : []));
      return all.reduce((sum, process) => sum + (process?.group === group ? process.seconds : 0), 0);
    },
  };
}

export async function untilIdle(meters: readonly Meter[]): Promise<void> {
  const used = () => meters.reduce((sum, meter) => sum + meter.cpuSeconds(), 0);
  const deadline = Date.now() + IDLE_PATIENCE_MS;
  for (let before = used(); Date.now() < deadline; ) {
    await sleep(IDLE_MS);
    const now = used();
    if (now - before < TICK_SECONDS * 1.5) return;
    before = now;
  }
  throw new Error(`${meters.map(({ name }) => name).join(", ")} still at work after ${IDLE_PATIENCE_MS / 1000} s`);
}

/** @returns null for a process that has ended */
function read(pid: number): { readonly group: number; readonly seconds: number } | null {
  try {
    // The second field may hold spaces (proc(5)), so they are counted from behind it.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    return { group: Number(fields[2]), seconds: (Number(fields[11]) + Number(fields[12])) * TICK_SECONDS };
  } catch {
    return null;
  }
}
