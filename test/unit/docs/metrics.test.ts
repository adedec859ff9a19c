/** docs/operations.md lists every metric with its labels, and every alert; and no other. */
import { describe, expect, it } from "vitest";
import alerts from "../../../deploy/alerts.yml?raw";
import operations from "../../../docs/operations.md?raw";
import source from "../../../src/observe/metrics.ts?raw";
import { COUNTERS, HISTOGRAMS } from "../../../src/store/figures.ts";

const section = operations.split("\n## Metrics\n")[1]?.split("\n## ")[0] ?? "";
const [metrics = "", told = ""] = section.split("\n### Alerts\n");
const all = (text: string, pattern: RegExp) => Array.from(text.matchAll(pattern), ([, found = ""]) => found);
const cells = (text: string) => all(text, /^\| ([^|]+) \|/gm).flatMap((cell) => all(cell, /`([^`]+)`/g));

describe("docs/operations.md", () => {
  it("lists the metrics", () => {
    const counters = Object.values(COUNTERS).map(({ metric, by }) => `${metric}{${by}}`);
    const histograms = Object.values(HISTOGRAMS).map(({ metric }) => metric);
    const gauges = [
      ...all(source, /gauge\(\s*"([a-z_]+)"/g),
      "info{version}",
      "cron_last_success_timestamp_seconds{task}",
    ];
    const names = [...counters, ...histograms, ...gauges].map((name) => `glance_edge_${name}`);
    expect(cells(metrics).sort()).toEqual(names.sort());
  });

  it.each(["downloads", "fills", "mismatches", "origin_errors", "bytes"] as const)(
    "explains all labels of %s",
    (figure) => {
      const { metric, labels } = COUNTERS[figure];
      const row = metrics.split("\n").find((line) => line.includes(`_${metric}{`)) ?? "";
      expect(labels.filter((label) => !row.includes(`\`${label}\``))).toEqual([]);
    },
  );

  it("says what to do about each alert", () => {
    expect(cells(told)).toEqual(all(alerts, /- alert: (\w+)/g));
  });
});
