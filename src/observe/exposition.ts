/**
 * The metrics as Prometheus reads them (prometheus.io/docs/instrumenting/exposition_formats/). Pure. All labels that there can be
 * are there from the beginning, with 0, so that the first event of a kind is seen as an increase.
 */
import { ABOVE, BUCKETS_MS, COUNTERS, HISTOGRAMS, SUM } from "../store/figures.ts";
import type { Total } from "../store/traffic.ts";

export interface Gauge {
  readonly name: string;
  readonly help: string;
  readonly values: readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[];
}

/** @param totals null: not known, so that none of the counters is there */
export function exposition(gauges: readonly Gauge[], totals: readonly Total[] | null): string {
  const families = gauges.map(({ name, help, values }) => family(name, "gauge", help, lines(name, values)));
  if (totals !== null) {
    const known = new Map(totals.map(({ figure, label, value }) => [`${figure} ${label}`, value]));
    const total = (figure: string, label: string) => known.get(`${figure} ${label}`) ?? 0;
    for (const [figure, { metric, by, labels, help }] of Object.entries(COUNTERS)) {
      const values = labels.map((label) => [{ [by]: label }, total(figure, label)] as const);
      families.push(family(metric, "counter", help, lines(metric, values)));
    }
    for (const [figure, { metric, help }] of Object.entries(HISTOGRAMS)) {
      families.push(
        family(
          metric,
          "histogram",
          help,
          histogram(metric, (label) => total(figure, label)),
        ),
      );
    }
  }
  return families.join("");
}

function family(name: string, type: string, help: string, values: string): string {
  return `# HELP glance_edge_${name} ${help}.\n# TYPE glance_edge_${name} ${type}\n${values}`;
}

function lines(name: string, values: Gauge["values"]): string {
  return values.map(([labels, value]) => `glance_edge_${name}${braces(labels)} ${value}\n`).join("");
}

function histogram(name: string, count: (label: string) => number): string {
  let below = 0;
  const buckets = BUCKETS_MS.map((bound) => {
    below += count(String(bound));
    return [{ le: String(bound / 1000) }, below] as const;
  });
  const all = below + count(ABOVE);
  return (
    lines(`${name}_bucket`, [...buckets, [{ le: ABOVE }, all]]) +
    lines(`${name}_sum`, [[{}, count(SUM) / 1000]]) +
    lines(`${name}_count`, [[{}, all]])
  );
}

/** No value has anything that must be escaped: all are the edge's own words. */
function braces(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
