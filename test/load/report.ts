/** What a load is asked for, and what it tells. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
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
  const read = `${(counts.bytes / 2 ** 30).toFixed(1)} GiB of images, each byte compared: ${list(counts.cacheStatus)}`;
  return [
    `${requests} done: ${list(counts.done)}`,
    ...(counts.bytes > 0 ? [read] : []),
    `workerd: ${memory.first} MiB without garbage in the first minute, ${memory.last} in the last one: ${memory.flat ? "flat" : "NOT FLAT"}`,
  ].join("\n");
}

const DIRECTORY = new URL("../../bench/results/", import.meta.url);
const PAGE = new URL("../../docs/load.md", import.meta.url);

/** A load as bench/results has it. */
interface Result extends Outcome {
  readonly machine: string;
  readonly failures: readonly string[];
}

/** Into bench/results and docs/load.md. */
export async function writeResult(name: string, { note: _, ...options }: Options, outcome: Outcome): Promise<void> {
  await mkdir(DIRECTORY, { recursive: true });
  const result = { machine: describeMachine(), options, failures: failures(outcome), ...outcome };
  await writeFile(new URL(`load-${name}.json`, DIRECTORY), `${JSON.stringify(result, null, 1)}\n`);
  await writeFile(PAGE, withLoad(await readFile(PAGE, "utf8"), name, result));
}

/** Columns of the table of memory. */
const COLUMNS = 12;

/** The page with what a load told, in its place. */
function withLoad(page: string, name: string, result: Result): string {
  const { samples } = result.memory;
  const step = Math.ceil(samples.length / COLUMNS);
  const shown = samples.filter((_, index) => (index + 1) % step === 0 || index === samples.length - 1);
  const row = (what: string, values: readonly number[]) => `| ${[what, ...values].join(" | ")} |`;
  const table = [
    row(
      "Second",
      shown.map(({ second }) => second),
    ),
    `|---${"|--:".repeat(shown.length)}|`,
    row(
      "workerd at most, MiB",
      shown.map(({ most }) => most),
    ),
    row(
      "without garbage, MiB",
      shown.map(({ held }) => held),
    ),
  ].join("\n");
  const failed = result.failures.length === 0 ? "No error." : `**${result.failures.length} errors.**`;
  const text = `${result.machine}\n\n${show(result).replaceAll("\n", "  \n")}\n${failed}\n\n${table}`;
  return page.replace(
    new RegExp(`(<!-- load-${name} -->\n)[\\s\\S]*?(\n<!-- end -->)`),
    (_, before: string, after: string) => `${before}\n${text}\n${after}`,
  );
}
