/** docs/operations.md lists every event that the edge logs, and no other. */
import { describe, expect, it } from "vitest";
import operations from "../../../docs/operations.md?raw";

const sources = Object.values(
  import.meta.glob<string>("../../../src/**/*.ts", { query: "?raw", import: "default", eager: true }),
).join("\n");

const matches = (text: string, pattern: RegExp) => Array.from(text.matchAll(pattern), ([, found = ""]) => found);

/** The names that are put together when they are logged. */
const TASKS = matches(sources, /\brun\(edge, "([a-z]+)"/g);
const ENDS = matches(sources, /case "([a-z-]+)":\s+return \{ on: /g);
const COMPOSED: Readonly<Record<string, readonly string[]>> = {
  "upkeep.${task}": TASKS.map((task) => `upkeep.${task}`),
  "upkeep.${task}-failed": TASKS.map((task) => `upkeep.${task}-failed`),
  "fill.${ending.end}": ENDS.map((end) => `fill.${end}`),
};

const logged = new Set(
  matches(sources, /\blog\.(?:info|error)\(\s*["`]([^"`]+)["`]/g).flatMap((event) => COMPOSED[event] ?? [event]),
);
const table = operations.slice(operations.indexOf("| Event | What it means |"), operations.indexOf("## Purge"));
const listed = matches(table, /^\| ([^|]+) \|/gm).flatMap((cell) => matches(cell, /`([^`]+)`/g));

describe("the events in docs/operations.md", () => {
  it("are those that src logs", () => {
    expect([...listed].sort()).toEqual([...logged].sort());
  });

  it("have each a name of a room and of what happened there", () => {
    expect([...logged].filter((event) => !/^[a-z]+\.[a-z0-9-]+$/.test(event))).toEqual([]);
    expect(logged.size).toBeGreaterThan(40);
  });

  it("are found wherever something is logged", () => {
    expect(matches(sources, /\b(log\.(?:info|error)\()/g)).toHaveLength(
      matches(sources, /\b(log\.(?:info|error)\(\s*["`])/g).length,
    );
    expect([TASKS.length, ENDS.length]).toEqual([7, 6]);
  });
});
