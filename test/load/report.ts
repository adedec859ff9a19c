/** What a load is asked for, and what it tells. */
import { mkdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describeMachine } from "../../bench/machine.ts";
import type { Tally } from "./counts.ts";
import type { Memory } from "./memory.ts";

export interface Options {
  /** At the same time, with a mix of requests. */
  readonly clients: number;
  /** How long they go on. */
  readonly seconds: number;
  readonly soakSeconds: number;
  readonly uploadBytes: number;
  readonly seed: number;
  /** Of requests; what is not among them is left out. */
  readonly kinds: readonly string[];
  /** Tells a person what is going on. */
  readonly note: (text: string) => void;
}

export interface Outcome {
  readonly counts: Tally;
  readonly memory: Memory;
  /** What must not be, beside the faults that clients saw. */
  readonly wrong: readonly string[];
}

/** All that makes a load fail. */
export function failures({ counts, memory, wrong }: Outcome): string[] {
  const { first, last, flat } = memory;
  return [
    ...counts.faults,
    ...wrong,
    ...(flat ? [] : [`workerd's memory is not flat: ${first} MiB in the first minute, ${last} in the last one`]),
  ];
}

export function show({ counts, memory }: Outcome): string {
  const list = (of: Readonly<Record<string, number>>) =>
    Object.entries(of)
      .toSorted(([, a], [, b]) => b - a)
      .map(([name, count]) => `${count} ${name}`)
      .join(", ");
  const requests = Object.values(counts.done).reduce((sum, count) => sum + count, 0);
  return [
    `${requests} done: ${list(counts.done)}`,
    `${(counts.bytes / 2 ** 30).toFixed(1)} GiB of images, each byte compared: ${list(counts.cacheStatus)}`,
    `workerd: ${memory.first} MiB at most in the first minute, ${memory.last} in the last one: ${memory.flat ? "flat" : "NOT FLAT"}`,
  ].join("\n");
}

/** Into bench/results, where the docs' tables come from. */
export async function writeResult(name: string, { note: _, ...options }: Options, outcome: Outcome): Promise<void> {
  const directory = fileURLToPath(new URL("../../bench/results/", import.meta.url));
  await mkdir(directory, { recursive: true });
  const result = { machine: describeMachine(), options, failures: failures(outcome), ...outcome };
  await writeFile(`${directory}load-${name}.json`, `${JSON.stringify(result, null, 2)}\n`);
}
