/** Bars over time, one series on top of the other, with a legend that tells the sums, or what is under the pointer. */
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Bucket } from "./figures.ts";
import { bytes, count } from "./format.ts";

interface Series {
  readonly name: string;
  /** A custom property of the style sheet. */
  readonly color: string;
  readonly of: (bucket: Bucket) => number;
}

interface Props {
  readonly title: string;
  readonly buckets: readonly Bucket[];
  readonly series: readonly Series[];
  readonly label: (at: number) => string;
  readonly unit: "bytes" | "count";
  /** Said behind the title, of the buckets that the legend is about. */
  readonly note?: (buckets: readonly Bucket[]) => string;
}

const HEIGHT = 150;

export function Chart({ title, buckets, series, label, unit, note }: Props) {
  const format = FORMATS[unit];
  const holder = useRef<HTMLDivElement>(null);
  const [pointed, setPointed] = useState<number | null>(null);
  const scheme = useScheme();
  const data = JSON.stringify(stacked(buckets, series));
  // Drawn anew when there are other values or colours.
  useEffect(() => {
    const element = holder.current;
    if (element === null) return undefined;
    const plot = new uPlot(options(element, { series, label, unit }, setPointed), JSON.parse(data), element);
    const sized = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }));
    sized.observe(element);
    return () => {
      sized.disconnect();
      plot.destroy();
      setPointed(null);
    };
  }, [data, scheme]);
  const bucket = pointed === null ? undefined : buckets[pointed];
  const told = bucket === undefined ? buckets : [bucket];
  const sums = series.map(({ name, color, of }) => ({
    name,
    color,
    sum: format(told.reduce((all, one) => all + of(one), 0)),
  }));
  const all = series.map(({ name, of }) => `${format(buckets.reduce((sum, one) => sum + of(one), 0))} ${name}`);
  return (
    <figure class="chart">
      <figcaption>
        <h3>{title}</h3>
        {note !== undefined && <span class="muted">{note(told)}</span>}
        <span class="muted at">{bucket === undefined ? "" : label(bucket.at)}</span>
      </figcaption>
      <ul class="legend">
        {sums.map(({ name, color, sum }) => (
          <li key={name} class={color.slice(2)}>
            {name} <strong>{sum}</strong>
          </li>
        ))}
      </ul>
      <div ref={holder} class="plot" role="img" aria-label={`${title}: ${all.join(", ")}`} />
    </figure>
  );
}

/** Times in seconds, then each series with those below it, the one on top first: it is drawn behind the others. */
function stacked(buckets: readonly Bucket[], series: readonly Series[]): number[][] {
  const times = buckets.map(({ at }) => at / 1000);
  const heights = series.map((_, index) =>
    buckets.map((bucket) => series.slice(0, index + 1).reduce((sum, { of }) => sum + of(bucket), 0)),
  );
  return [times, ...heights.toReversed()];
}

/** How values are written, and the steps between the lines of a chart, which are round then. */
const FORMATS = { bytes, count };
const STEPS = {
  bytes: Array.from({ length: 60 }, (_, power) => 2 ** power),
  count: Array.from({ length: 36 }, (_, index) => ([1, 2, 5][index % 3] ?? 1) * 10 ** Math.floor(index / 3)),
};

function widened(times: ArrayLike<number>): [number, number] {
  const first = times[0] ?? 0;
  const last = times[times.length - 1] ?? first;
  const half = (last - first) / Math.max(1, times.length - 1) / 2;
  return [first - half, last + half];
}

type Drawn = Pick<Props, "series" | "label" | "unit">;

function options(
  element: HTMLElement,
  { series, label, unit }: Drawn,
  onPoint: (index: number | null) => void,
): uPlot.Options {
  const style = getComputedStyle(element);
  const color = (name: string) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: color("--muted"),
    font: `11px ${style.fontFamily}`,
    grid: { stroke: color("--line"), width: 1 },
    ticks: { show: false },
  };
  const bars = uPlot.paths.bars?.({ size: [0.75, 24], align: 0 });
  return {
    width: element.clientWidth,
    height: HEIGHT,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    // Half a bar stands before the first time, and half of one behind the last.
    scales: { x: { range: (u) => widened(u.data[0]) }, y: { range: (_, __, max) => [0, Math.max(max, 1) * 1.05] } },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 24,
        space: 56,
        values: (_, splits) => splits.map((at) => label(at * 1000)),
      },
      {
        ...axis,
        size: 62,
        space: 32,
        incrs: STEPS[unit],
        values: (_, splits) => splits.map((value) => FORMATS[unit](value)),
      },
    ],
    series: [
      {},
      ...series.toReversed().map(({ name, color: property }) => ({
        label: name,
        fill: color(property),
        width: 0,
        points: { show: false },
        ...(bars === undefined ? {} : { paths: bars }),
      })),
    ],
    hooks: { setCursor: [({ cursor }) => onPoint(cursor.idx ?? null)] },
  };
}

/** Whether the page is dark, as the system says now. */
function useScheme(): boolean {
  const [isDark, setDark] = useState(() => matchMedia("(prefers-color-scheme: dark)").matches);
  useEffect(() => {
    const query = matchMedia("(prefers-color-scheme: dark)");
    const changed = () => setDark(query.matches);
    query.addEventListener("change", changed);
    return () => query.removeEventListener("change", changed);
  }, []);
  return isDark;
}
