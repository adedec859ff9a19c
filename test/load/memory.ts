/** What workerd holds while a load runs, and whether that grows. For Linux (/proc). */
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { EdgeProcess } from "../support/node/edge-process.ts";
import { Garbage } from "./garbage.ts";

const MIB = 2 ** 20;
const EVERY_MS = 10_000;
/** How often it is looked at in between: of each ten seconds the most is told. */
const LOOK_MS = 250;
/** What the last minute may hold above the first one: some downloads more are under way at a moment than at another. */
const BREATH = 0.2;
const BREATH_MIB = 32;

interface Sample {
  readonly second: number;
  /** The most in the ten seconds before, MiB. */
  readonly most: number;
  /** Behind them, with all garbage collected: what can't be given back, MiB. */
  readonly held: number;
}

export interface Memory {
  readonly samples: readonly Sample[];
  /** The most that was held in the first minute and in the last one, without the first ten seconds, in which all is read for the first time. */
  readonly first: number;
  readonly last: number;
  readonly flat: boolean;
}

/** Watches a process until the work is done. @param note told of each ten seconds */
export async function watchMemory(
  edge: EdgeProcess,
  work: Promise<unknown>,
  note: (text: string) => void,
): Promise<Memory> {
  let running = true;
  const done = work.finally(() => {
    running = false;
  });
  // Its failure is told by whoever waits for it below.
  done.catch(() => undefined);
  const garbage = await Garbage.of(await edge.inspector());
  await garbage.collect();
  const idle = Math.round(await residentMib(edge.pid));
  const samples: Sample[] = [{ second: 0, most: idle, held: idle }];
  const began = performance.now();
  while (running) {
    let most = 0;
    for (const end = began + samples.length * EVERY_MS; running && performance.now() < end; await sleep(LOOK_MS)) {
      most = Math.max(most, await residentMib(edge.pid));
    }
    await garbage.collect();
    const held = await residentMib(edge.pid);
    const second = Math.round((performance.now() - began) / 1000);
    samples.push({ second, most: Math.round(most), held: Math.round(held) });
    note(`${String(second).padStart(5)} s: workerd ${Math.round(most)} MiB, ${Math.round(held)} without garbage`);
  }
  garbage.end();
  await done;
  return { samples, ...judge(samples) };
}

/** A process whose load lasts for a minute or less is judged by the halves of it; for twenty seconds or less, beside what it held before. */
export function judge(samples: readonly Pick<Sample, "held">[]): Omit<Memory, "samples"> {
  const warm = samples.length > 3 ? samples.slice(2) : samples;
  const count = Math.max(1, Math.min(6, Math.floor(warm.length / 2)));
  const most = (some: readonly Pick<Sample, "held">[]) => Math.max(0, ...some.map(({ held }) => held));
  const first = most(warm.slice(0, count));
  const last = most(warm.slice(-count));
  return { first, last, flat: last <= first * (1 + BREATH) + BREATH_MIB };
}

/** Resident memory (proc(5), VmRSS). */
async function residentMib(pid: number): Promise<number> {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1];
  if (kib === undefined) throw new Error("workerd has ended");
  return (Number(kib) * 1024) / MIB;
}
