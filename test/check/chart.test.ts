/** Charts for docs: the same figures give the same picture, which says in text what it shows. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { type Chart, draw } from "../../bench/chart.ts";
import { pictures } from "../../bench/charts.ts";

const LINES: Chart = {
  title: "Time & machines: <1 s>",
  x: { name: "machines", scale: "log" },
  y: { name: "time, s", from: 0 },
  levels: [{ name: "goal", y: 2 }],
  lines: [
    {
      name: "1 GiB",
      points: [
        [1, 1],
        [10_000, 2],
      ],
    },
    {
      name: "50 GiB",
      points: [
        [1, 2],
        [10_000, 3],
      ],
    },
  ],
};
const BARS: Chart = {
  title: "Costs",
  y: { name: "dollars" },
  groups: ["hit", "fill"],
  bars: [
    { name: "edge", values: [1, 2] },
    { name: "egress", values: [90, null] },
  ],
};

it.each([
  ["of lines", LINES, ["1 GiB", "50 GiB", "machines", "time, s", "goal", "10,000"]],
  ["of bars", BARS, ["edge", "egress", "dollars", "hit", "fill"]],
])("a chart %s has its names, units and axes as text, and a title that is escaped", (_, chart, words) => {
  const picture = draw(chart);
  expect(picture).toContain(`<title>${chart.title.replace("&", "&amp;").replace("<", "&lt;")}</title>`);
  for (const word of words) expect(picture).toContain(`>${word}</text>`);
});

it("a chart is the same each time, whatever was drawn before", () => {
  const first = draw(LINES);
  draw(BARS);
  expect(draw(LINES)).toBe(first);
});

it("a chart has other colours in the dark, and nothing of it needs a script or another file", () => {
  for (const picture of [draw(LINES), draw(BARS)]) {
    expect(picture).toContain("prefers-color-scheme:dark");
    expect(picture).not.toMatch(/<script|href=|@import|url\((?!#)/);
    const colours = [...picture.matchAll(/(?:fill|stroke)="(#\w{6})"/g)].map(([, colour]) => colour);
    for (const colour of new Set(colours)) expect(picture).toMatch(new RegExp(`\\[(fill|stroke)="${colour}"\\]\\{`));
  }
});

it("docs/charts has what the result files want drawn", () => {
  for (const [name, picture] of pictures()) {
    expect(readFileSync(new URL(`../../docs/charts/${name}`, import.meta.url), "utf8"), name).toBe(picture);
  }
});

it("a chart is small", () => {
  expect(draw(LINES).length).toBeLessThan(12_000);
});
