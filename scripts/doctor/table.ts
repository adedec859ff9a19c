/** The findings as people read them. Pure. */
import type { Finding } from "./finding.ts";

export function table(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ what }) => what.length));
  const rows = findings.map(({ what, verdict, seen }) => `${verdict.padEnd(7)}  ${what.padEnd(width)}  ${seen}`);
  const todo = findings.flatMap((finding) => (finding.todo === null ? [] : [`- ${finding.what}? ${finding.todo}`]));
  return [...rows, ...(todo.length === 0 ? [] : ["", "What to do:", ...todo])].join("\n");
}
