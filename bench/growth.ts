/**
 * `npm run bench:growth`: what the index costs with 100, 10,000 and 100,000 images. The rows are what D1 bills, and do not depend on
 * the machine. Into bench/results/growth.json and docs/costs.md.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { describeMachine } from "./machine.ts";
import { startWithIndex, stopAll } from "./workerd.ts";

const PAGE = new URL("../docs/costs.md", import.meta.url);
const SIZES = [100, 10_000, 100_000];
const TIMES = 20;

export interface Growth {
  readonly machine: string;
  readonly sizes: readonly number[];
  /** Of one time each, in the order of the sizes. */
  readonly asks: readonly { readonly ask: string; readonly costs: readonly Cost[] }[];
}

interface Cost {
  readonly ms: number;
  readonly rowsRead: number;
  readonly rowsWritten: number;
}

/** As a Markdown table. */
export function growthTable({ sizes, asks }: Growth): string {
  const count = (number: number) => Math.round(number).toLocaleString("en-US");
  const head = sizes.map((size) => `${count(size)} images`);
  const rows = asks.map(({ ask, costs }) => {
    const cells = costs.map(({ ms, rowsRead }) => `${count(rowsRead)} (${ms.toFixed(1)} ms)`);
    return `| ${[ask, ...cells].join(" | ")} |`;
  });
  return [`| Rows read, and time | ${head.join(" | ")} |`, `|---${"|--:".repeat(sizes.length)}|`, ...rows].join("\n");
}

export function withGrowth(page: string, growth: Growth): string {
  return page.replace(/(<!-- growth -->\n)[\s\S]*?(\n<!-- end -->)/, (_, before: string, after: string) => {
    return `${before}\n${growth.machine}\n\n${growthTable(growth)}\n${after}`;
  });
}

async function measure(): Promise<Growth> {
  const store = ["catalog", "cleared", "image-list", "least-recently-used", "queue", "room"];
  const imported = ["bench/floors/counting.ts", ...store.map((name) => `src/store/${name}.ts`)];
  const { url } = await startWithIndex("bench/floors/index-growth.ts", ...imported);
  const names = (await (await fetch(url)).json()) as string[];
  const costs = new Map<string, Cost[]>(names.map((name) => [name, []]));
  for (const size of SIZES) {
    const made = await fetch(`${url}/?images=${size}`, { method: "PUT" });
    if (!made.ok) throw new Error(`the index could not be made: ${await made.text()}`);
    for (const name of names) {
      const asked = await fetch(`${url}/?ask=${encodeURIComponent(name)}&times=${TIMES}`);
      if (!asked.ok) throw new Error(`${name}: ${await asked.text()}`);
      costs.get(name)?.push((await asked.json()) as Cost);
    }
  }
  const asks = names.map((ask) => ({ ask, costs: costs.get(ask) ?? [] }));
  return { machine: describeMachine(), sizes: SIZES, asks };
}

if (import.meta.main) {
  try {
    const growth = await measure();
    mkdirSync(new URL("results/", import.meta.url), { recursive: true });
    writeFileSync(new URL("results/growth.json", import.meta.url), `${JSON.stringify(growth, null, 1)}\n`);
    const page = readFileSync(PAGE, "utf8");
    writeFileSync(PAGE, withGrowth(page, growth));
    console.log(`${growth.machine}\n\n${growthTable(growth)}`);
  } finally {
    await stopAll();
  }
}
