/** `npm run bench:docs`: puts the tables into docs/performance.md, each between the comments that name it. */
import { readFileSync, writeFileSync } from "node:fs";
import { goalsOf } from "./goals.ts";
import { goalTable } from "./report.ts";
import { readResults } from "./results.ts";
import { tables } from "./tables.ts";

const PAGE = new URL("../docs/performance.md", import.meta.url);
const CASES = ["hit", "first-byte", "cold", "storm"];

/** The page with the tables that its results give. @throws Error when it has no place for one */
export function withTables(page: string): string {
  const goals = goalTable(CASES.flatMap((name) => goalsOf(name, readResults(name))));
  let text = page;
  for (const [name, table] of [["goals", goals] as const, ...tables()]) {
    const place = new RegExp(`(<!-- ${name} -->\n)[^]*?(\n<!-- end -->)`);
    if (!place.test(text)) throw new Error(`docs/performance.md has no place for ${name}`);
    text = text.replace(place, (_, before: string, after: string) => `${before}\n${table}\n${after}`);
  }
  return text;
}

if (import.meta.main) writeFileSync(PAGE, withTables(readFileSync(PAGE, "utf8")));
