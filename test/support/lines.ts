/** What the edge logs in a test: kept from the output, so that a run which passes is quiet, and there to be looked at. */
import { afterEach, beforeEach, vi } from "vitest";

export type Line = Readonly<Record<string, unknown>> & { readonly event: string };

/** Keeps the lines of each test of this file on its own. @returns those of one event */
export function keepLines(): (event: string) => Line[] {
  const lines: Line[] = [];
  beforeEach(() => {
    lines.length = 0;
    for (const method of ["log", "error"] as const) {
      vi.spyOn(console, method).mockImplementation((line: string) => void lines.push(JSON.parse(line)));
    }
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });
  return (event) => lines.filter((line) => line.event === event);
}
