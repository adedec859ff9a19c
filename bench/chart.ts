/**
 * Charts as SVG, for docs: figures over a quantity, or over names. The same figures give the same text, so that a chart in docs/
 * can be compared with what its command makes. Readable in light and in dark, where GitHub shows it as an image; series
 * differ by mark and dash as well as by colour.
 */
import { BarChart, type BarSeriesOption, LineChart, type LineSeriesOption } from "echarts/charts";
import { GridComponent, LegendComponent, MarkLineComponent, TitleComponent } from "echarts/components";
import { type ComposeOption, init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";

use([BarChart, LineChart, GridComponent, LegendComponent, MarkLineComponent, TitleComponent, SVGRenderer]);

interface Axis {
  /** With its unit: `"clients"`, `"time to the last byte, s"`. */
  readonly name: string;
  readonly scale?: "linear" | "log";
  readonly from?: number;
  readonly to?: number;
}

/** A bound or a goal: a dashed line across the chart. */
interface Level {
  readonly name: string;
  readonly y: number;
}

interface Drawn {
  /** What is to be seen, as a sentence: it is also what is read out in the picture's place. */
  readonly title: string;
  readonly y: Axis;
  readonly levels?: readonly Level[];
}

/** Figures over a quantity. */
interface Lines extends Drawn {
  readonly x: Axis;
  readonly lines: readonly { readonly name: string; readonly points: readonly (readonly [x: number, y: number])[] }[];
}

/** Figures over names, one group of bars for each. A figure that there is not is null. */
interface Bars extends Drawn {
  readonly groups: readonly string[];
  readonly bars: readonly { readonly name: string; readonly values: readonly (number | null)[] }[];
}

type Options = ComposeOption<BarSeriesOption | LineSeriesOption>;

const WIDTH = 760;
const HEIGHT = 420;
const FONT = "system-ui, sans-serif";
/** In light, and in dark: text, lines of the grid, ground; then the series', after Okabe and Ito, which the colour-blind can tell apart. */
const TEXT = ["#1f2328", "#e6edf3"] as const;
const GRID = ["#d0d7de", "#3d444d"] as const;
const GROUND = ["#ffffff", "#0d1117"] as const;
const SERIES = [
  ["#0072b2", "#4ba3e3"],
  ["#d55e00", "#ff8f45"],
  ["#009e73", "#2fc79a"],
  ["#b0548a", "#e79bc6"],
  ["#8a6d00", "#f0e442"],
  ["#5b5f66", "#adb3bb"],
] as const;
const MARKS = ["circle", "rect", "triangle", "diamond", "emptyCircle", "emptyRect"] as const;
const DASHES = ["solid", [8, 3], [3, 3], [8, 3, 2, 3], [14, 4], [1, 3]] as const;

/** As JSON as well: result files have them. */
export type Chart = Lines | Bars;

/** The chart as the text of an SVG file. */
export function draw(of: Chart): string {
  const series = "lines" in of ? linesOf(of) : barsOf(of);
  const options: Options = {
    animation: false,
    textStyle: { fontFamily: FONT, color: TEXT[0] },
    backgroundColor: GROUND[0],
    title: {
      text: of.title,
      left: 16,
      top: 10,
      textStyle: { fontSize: 15, color: TEXT[0], width: WIDTH - 32, overflow: "break" },
    },
    legend: { bottom: 8, textStyle: { color: TEXT[0], fontSize: 12 }, show: series.length > 1, itemWidth: 34 },
    grid: { left: 72, right: 32, top: 64, bottom: series.length > 1 ? 88 : 60 },
    xAxis:
      "lines" in of
        ? axis(of.x, 30)
        : {
            type: "category",
            data: [...of.groups],
            axisLabel: { color: TEXT[0], fontSize: 12, interval: 0 },
            axisLine: { lineStyle: { color: GRID[0] } },
            axisTick: { show: false },
          },
    yAxis: axis(of.y, 52),
    series,
  };
  const canvas = init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height: HEIGHT });
  canvas.setOption(options);
  const text = canvas.renderToSVGString();
  canvas.dispose();
  return finish(text, of.title);
}

function axis({ name, scale = "linear", from, to }: Axis, gap: number) {
  return {
    type: scale === "log" ? ("log" as const) : ("value" as const),
    name,
    nameLocation: "middle" as const,
    nameGap: gap,
    nameTextStyle: { color: TEXT[0], fontSize: 12 },
    axisLabel: { color: TEXT[0], fontSize: 12 },
    axisLine: { lineStyle: { color: GRID[0] } },
    splitLine: { lineStyle: { color: GRID[0] } },
    ...(from === undefined ? {} : { min: from }),
    ...(to === undefined ? {} : { max: to }),
  };
}

function linesOf({ lines, levels }: Lines): LineSeriesOption[] {
  return lines.map(({ name, points }, at) => ({
    type: "line",
    name,
    data: points.map(([x, y]) => [x, y]),
    symbol: pick(MARKS, at),
    symbolSize: 7,
    color: pick(SERIES, at)[0],
    lineStyle: { width: 2, type: dash(at) },
    emphasis: { disabled: true },
    ...(at === 0 ? levelsOf(levels) : {}),
  }));
}

function barsOf({ bars, levels }: Bars): BarSeriesOption[] {
  return bars.map(({ name, values }, at) => ({
    type: "bar",
    name,
    data: values.map((value) => value ?? "-"),
    color: pick(SERIES, at)[0],
    barGap: "10%",
    emphasis: { disabled: true },
    ...(at === 0 ? levelsOf(levels) : {}),
  }));
}

function levelsOf(levels: readonly Level[] = []): Pick<LineSeriesOption, "markLine"> {
  if (levels.length === 0) return {};
  return {
    markLine: {
      silent: true,
      symbol: "none",
      animation: false,
      lineStyle: { color: TEXT[0], type: [2, 4], width: 1 },
      data: levels.map(({ name, y }) => ({
        yAxis: y,
        label: { formatter: name, position: "insideStartTop", color: TEXT[0], fontSize: 12 },
      })),
    },
  };
}

function dash(at: number): "solid" | number[] {
  const found = pick(DASHES, at);
  return found === "solid" ? found : [...found];
}

function pick<T>(from: readonly T[], at: number): T {
  const found = from[at % from.length];
  if (found === undefined) throw new RangeError("nothing to choose from");
  return found;
}

/** What the library leaves out: a name and the dark colours. What it adds for a pointer, numbered over all charts, goes. */
function finish(text: string, title: string): string {
  const dark = [TEXT, GRID, GROUND, ...SERIES].map(
    ([light, dark]) => `[fill="${light}"]{fill:${dark}}[stroke="${light}"]{stroke:${dark}}`,
  );
  const [svg = "", ...shapes] = text
    .replace(/<style\b.*?<\/style>/gs, "")
    .replace(/ (class|pointer-events|ecmeta_\w+)="[^"]*"/g, "")
    .replace(/\bzr\d+-/g, "")
    .replace(/>\s*<\/(path|rect|circle)>/g, "/>")
    .replace(/>\s*</g, ">\n<")
    .split("\n")
    .filter((shape) => !/ fill-opacity="0"| fill="none"\/>$/.test(shape));
  const named = `<title>${title.replace(/&/g, "&amp;").replace(/</g, "&lt;")}</title>`;
  const style = `<style>@media(prefers-color-scheme:dark){${dark.join("")}}</style>`;
  return `${[svg.replace("<svg ", '<svg role="img" '), named, style, ...shapes].join("\n")}\n`;
}
