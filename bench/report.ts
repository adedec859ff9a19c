/** The table at the end: what was to be reached, what was, and whether. */

export interface Line {
  readonly case: string;
  readonly figure: string;
  /** Null: no goal, for comparison only. */
  readonly goal: { readonly least: number } | { readonly most: number } | null;
  readonly value: number;
  /** The same figure of a bare Worker that does the least that must be done; null: the value is over a floor's already. */
  readonly floor: number | null;
  readonly unit?: string;
  /** The figures behind the value. */
  readonly from: string;
}

/** As a Markdown table. */
export function table(lines: readonly Line[]): string {
  const rows = lines.map((line) => [
    line.case,
    line.figure,
    goalOf(line),
    `${line.value.toFixed(2)}${unitOf(line)}`,
    line.floor === null ? "" : `${line.floor.toFixed(2)}${unitOf(line)}`,
    verdictOn(line),
    line.from,
  ]);
  const all = [["Case", "Figure", "Goal", "Measured", "Floor", "Met", "From"], ...rows];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  const text = all.map((row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`);
  return [text[0], `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...text.slice(1)].join("\n");
}

function verdictOn({ goal, value, floor }: Line): string {
  if (goal === null) return "";
  if (isMet(goal, value)) return "yes";
  return floor === null || isMet(goal, floor) ? "NO" : "NO, nor by the floor";
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
