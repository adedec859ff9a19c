/** What workerd holds while a load runs, and whether that grows. For Linux (/proc). */
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const MIB = 2 ** 20;
const EVERY_MS = 10_000;
/** How often it is looked at in between: of each ten seconds the most is told. */
const LOOK_MS = 250;
/**
 * Growth that is none: V8 lets a heap grow until it collects it, and the allocator keeps pieces that it got. Some 30 MiB were
 * seen between two minutes of the same load; a leak of a hundredth of what passes is more.
 */
const BREATH = 0.2;
const BREATH_MIB = 32;

interface Sample {
  readonly second: number;
  /** The most in the ten seconds before. */
  readonly mib: number;
}

export interface Memory {
  readonly samples: readonly Sample[];
  /** The most in the first minute and in the last one, without the first ten seconds, in which everything is read for the first time. */
  readonly first: number;
  readonly last: number;
  readonly flat: boolean;
}

/** Watches a process until the work is done. @param note told of each ten seconds */
export async function watchMemory(pid: number, work: Promise<unknown>, note: (text: string) => void): Promise<Memory> {
  let running = true;
  const done = work.finally(() => {
    running = false;
  });
  // Its failure is told by whoever waits for it below.
  done.catch(() => undefined);
  const samples: Sample[] = [];
  const began = performance.now();
  while (running) {
    let most = 0;
    for (
      const end = began + (samples.length + 1) * EVERY_MS;
      running && performance.now() < end;
      await sleep(LOOK_MS)
    ) {
      most = Math.max(most, await residentMib(pid));
    }
    const second = Math.round((performance.now() - began) / 1000);
    samples.push({ second, mib: Math.round(most) });
    note(`${String(second).padStart(5)} s: workerd ${Math.round(most)} MiB`);
  }
  await done;
  return { samples, ...judge(samples) };
}

/** A process whose load lasts for a minute or less is judged by the halves of it. */
function judge(samples: readonly Sample[]): Omit<Memory, "samples"> {
  const warm = samples.slice(1);
  const count = Math.max(1, Math.min(6, Math.floor(warm.length / 2)));
  const most = (some: readonly Sample[]) => Math.max(0, ...some.map(({ mib }) => mib));
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
