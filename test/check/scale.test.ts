/** docs/scale.md: the goals of a simulation of 10,000 readers, and that its figures there are what the command gives. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { draw } from "../../bench/chart.ts";
import { goals } from "../../bench/simulation/report.ts";

const DOCS = new URL("../../docs/", import.meta.url);
const { tables, charts, wrong, byMachines } = await goals();

it("10,000 machines are all served within 1.2 times the line's own time, at 200 calls a second, and measured storms agree", () => {
  expect(wrong).toEqual([]);
  expect(byMachines.at(-1)?.storm.machines).toBe(10_000);
});

it("the origin's line carries the image once, however many machines there are", () => {
  expect(byMachines.map(({ figures }) => figures.overTheLine)).toEqual(byMachines.map(() => 1));
});

it.each([...tables])("the table of %s in docs/scale.md is what npm run simulate gives", (name, text) => {
  const page = readFileSync(new URL("scale.md", DOCS), "utf8");
  const [, there] = new RegExp(`<!-- ${name} -->\n\n([^]*?)\n\n<!-- / -->`).exec(page) ?? [];
  expect(there).toBe(text);
});

it.each([...charts])("the chart %s is what npm run simulate draws", (name, chart) => {
  expect(readFileSync(new URL(`charts/${name}.svg`, DOCS), "utf8")).toBe(draw(chart));
});
