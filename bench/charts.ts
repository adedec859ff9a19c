/**
 * `npm run charts`: draws what the result files want drawn. A file in bench/results may have `charts`, by the names of the
 * pictures: `{ "charts": { "storm": { "title": …, "x": …, "y": …, "lines": … } } }` becomes docs/charts/storm.svg.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { type Chart, draw } from "./chart.ts";

/** What a command that measures writes; the rest of its file is its own. */
export interface WithCharts {
  readonly charts?: Readonly<Record<string, Chart>>;
}

const RESULTS = new URL("results/", import.meta.url);
const PICTURES = new URL("../docs/charts/", import.meta.url);

/** All pictures: name of the file, and its text. */
export function pictures(): Map<string, string> {
  const found = new Map<string, string>();
  const files = existsSync(RESULTS) ? readdirSync(RESULTS).sort() : [];
  for (const file of files) {
    if (!file.endsWith(".json")) continue;
    const { charts = {} }: WithCharts = JSON.parse(readFileSync(new URL(file, RESULTS), "utf8"));
    for (const [name, chart] of Object.entries(charts)) found.set(`${name}.svg`, draw(chart));
  }
  return found;
}

if (import.meta.main) {
  mkdirSync(PICTURES, { recursive: true });
  for (const [name, text] of pictures()) writeFileSync(new URL(name, PICTURES), text);
}
