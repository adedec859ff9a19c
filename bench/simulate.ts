/**
 * `npm run simulate`: what a storm of up to 10,000 machines would be on Cloudflare, by the real rules of a fill, a clock of the
 * simulation's own and published figures. Prints docs/scale.md's tables, with --write puts them there, and its charts. It fails
 * where the simulation does not agree with what was measured, or a goal is missed.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { draw } from "./chart.ts";
import { all } from "./simulation/report.ts";

const DOCS = new URL("../docs/", import.meta.url);
const write = process.argv.includes("--write");
const { tables, charts, wrong } = await all();
for (const [name, text] of tables) console.log(`${name}\n\n${text}\n`);
if (write) {
  const page = new URL("scale.md", DOCS);
  let text = readFileSync(page, "utf8");
  for (const [name, table] of tables) {
    const place = new RegExp(`(<!-- ${name} -->\n)[^]*?(<!-- / -->)`);
    if (!place.test(text)) throw new Error(`docs/scale.md has no place for ${name}`);
    text = text.replace(place, (_, begin: string, end: string) => `${begin}\n${table}\n\n${end}`);
  }
  writeFileSync(page, text);
  mkdirSync(new URL("charts/", DOCS), { recursive: true });
  for (const [name, chart] of charts) writeFileSync(new URL(`charts/${name}.svg`, DOCS), draw(chart));
}
for (const what of wrong) console.error(`simulate: ${what}`);
if (wrong.length > 0) process.exitCode = 1;
