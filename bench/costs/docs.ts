/** Puts the tables where the docs name them, between `<!-- NAME -->` and `<!-- end -->`. Pure. */
import { costTables } from "./tables.ts";
import type { Counted } from "./use.ts";

export function withCosts(page: string, counted: Counted): string {
  let text = page;
  for (const [name, table] of costTables(counted)) {
    const place = new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(\n<!-- end -->)`);
    text = text.replace(place, (_, before: string, after: string) => `${before}\n${table}\n${after}`);
  }
  return text;
}
