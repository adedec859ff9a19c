/** Tables of Markdown, and the one that says what was to be reached. */
import type { Spread } from "./results.ts";

export interface Line extends Spread {
  readonly case: string;
  readonly figure: string;
  /** Null: no goal, for comparison only. */
  readonly goal: { readonly least: number } | { readonly most: number } | null;
  /** The same figure of a floor. */
  readonly floor?: number | null;
  readonly unit?: string;
}

export function goalTable(lines: readonly Line[]): string {
  const rows = lines.map((line) => [
    line.case,
    line.figure,
    goalOf(line),
    formatSpread(line) + unitOf(line),
    typeof line.floor === "number" ? `${line.floor.toFixed(2)}${unitOf(line)}` : "",
    verdictOn(line),
  ]);
  return table([["Case", "Figure", "Goal", "Measured", "Floor", "Met"], ...rows]);
}

/** @param rows the first is the head */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const text = rows.map((row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`);
  return [text[0], `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...text.slice(1)].join("\n");
}

/** The median, and the extremes where there are any. */
export function formatSpread({ value, least, most }: Spread, digits = 2): string {
  const [middle, low, high] = [value, least, most].map((one) => one.toFixed(digits));
  return low === high ? `${middle}` : `${middle} (${low} to ${high})`;
}

function verdictOn({ goal, value, floor }: Line): string {
  if (goal === null) return "";
  if (isMet(goal, value)) return "yes";
  return typeof floor !== "number" || isMet(goal, floor) ? "NO" : "NO, nor by the floor";
}

function isMet(goal: NonNullable<Line["goal"]>, value: number): boolean {
  // As precise as it is printed.
  const rounded = Math.round(value * 100) / 100;
  return "least" in goal ? rounded >= goal.least : rounded <= goal.most;
}

function goalOf(line: Line): string {
  if (line.goal === null) return "";
  const sign = "least" in line.goal ? ">=" : "<=";
  const value = "least" in line.goal ? line.goal.least : line.goal.most;
  return `${sign} ${value.toFixed(2)}${unitOf(line)}`;
}

function unitOf({ unit }: Line): string {
  return unit === undefined ? "" : ` ${unit}`;
}
