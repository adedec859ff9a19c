/**
 * What test/README.md, docs/fills.md and SECURITY.md say of tests is so: each invariant and each table of races has its own, each
 * threat says what shows what stops it, and all of them exist.
 */
import { describe, expect, it } from "vitest";
import architecture from "../../../docs/architecture.md?raw";
import fills from "../../../docs/fills.md?raw";
import security from "../../../SECURITY.md?raw";
import readme from "../../README.md?raw";

/** Every test file as text, by its path below test/. */
const files = new Map(
  Object.entries(import.meta.glob<string>("../../**/*.test.ts", { query: "?raw", import: "default", eager: true })).map(
    ([path, text]) => [new URL(path, "file:///unit/docs/").pathname.slice(1), text],
  ),
);

/** "1. The origin decides" and so on. */
const invariants = [...architecture.matchAll(/^(\d+\. )\*\*(.+?)\.?\*\*/gm)].map(
  ([, number, name]) => `${number}${name}`,
);

/** Cells of the table of invariants, by row and then by layer. */
function rows(): Map<string, Map<string, string[]>> {
  const lines = readme.split("\n").filter((line) => line.startsWith("|"));
  const head = lines.find((line) => line.startsWith("| Invariant |")) ?? "";
  const layers = cells(head).slice(1);
  const found = lines.filter((line) => /^\| \d+\. /.test(line)).map((line) => cells(line));
  return new Map(
    found.map(([name = "", ...words]) => [
      name,
      new Map(
        layers.map((layer, at) => [layer, [...(words[at] ?? "").matchAll(/`([^`]+)`/g)].map(([, w]) => w ?? "")]),
      ),
    ]),
  );
}

function cells(line: string): string[] {
  return line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());
}

/** Tables of races in docs/fills.md, with the tests that are named under each. */
const races = (fills.split("\n## Races\n")[1] ?? "").split("\n### ").slice(1);
const played = races.map((text) => {
  const named = [...text.matchAll(/^- `test\/([^`]+)`: (.+)$/gm)].map(([, file = "", name = ""]) => ({ file, name }));
  return [text.split("\n")[0] ?? "", named] as const;
});

describe("an invariant", () => {
  it("of docs/architecture.md has a row in test/README.md, and no other has", () => {
    expect(invariants).toHaveLength(8);
    expect([...rows().keys()]).toEqual(invariants);
  });

  it.each([...rows()])("has tests, which exist: %s", (_, layers) => {
    const paths = [...layers].flatMap(([layer, words]) => words.map((word) => `${layer}${word}.test.ts`));
    expect(paths.length).toBeGreaterThan(0);
    expect(paths.filter((path) => !files.has(path))).toEqual([]);
  });

  it.each(invariants)("has a test file of its own: %s", (name) => {
    const own = [...files.keys()].filter((path) => path.startsWith(`invariants/${name.split(".")[0]}-`));
    expect(own).toHaveLength(1);
  });
});

describe("a table of races", () => {
  it("stands in docs/fills.md", () => {
    expect(races.length).toBeGreaterThan(5);
  });

  it("has a test file of its own, each of them", () => {
    const own = played.map(([, named]) => [
      ...new Set(named.map(({ file }) => file).filter((file) => file.startsWith("races/"))),
    ]);
    expect(own.flat().sort()).toEqual([...files.keys()].filter((path) => path.startsWith("races/")).sort());
    expect(own.filter((of) => of.length !== 1)).toEqual([]);
  });

  it.each(played)("names tests, which exist: %s", (_, named) => {
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter(({ file, name }) => !(files.get(file) ?? "").includes(`("${name}", `))).toEqual([]);
  });
});

/** Rows of SECURITY.md's tables, by who could try it. */
const threats = (security.split("\n## Who could try what\n")[1]?.split("\n## ")[0] ?? "")
  .split("\n### ")
  .slice(1)
  .map((text) => {
    const lines = text.split("\n").filter((line) => line.startsWith("| ") && !line.startsWith("| Could try |"));
    return [text.split("\n")[0] ?? "", lines.map(cells)] as const;
  });

describe("a threat", () => {
  it("is told of each who could try something", () => {
    expect(threats.map(([who]) => who.split(/[:,]/)[0])).toEqual([
      "A hostile tenant",
      "A hostile origin",
      "The network",
      "A neighbour",
      "Somebody with the Cloudflare account",
    ]);
  });

  it.each(threats)("names what shows that it is stopped, or says that it is not: %s", (_, rows) => {
    expect(rows.length).toBeGreaterThan(3);
    const shown = rows.filter(
      ([, stops = "", tests = ""]) => !(tests.includes("`test/") || stops.includes("**not stopped**")),
    );
    expect(shown).toEqual([]);
  });

  it("names tests that exist, anywhere in SECURITY.md", () => {
    const named = [...security.matchAll(/`test\/([^`]+\.ts)`/g)].map(([, path]) => path ?? "");
    expect(named.length).toBeGreaterThan(40);
    expect(named.filter((path) => !files.has(path))).toEqual([]);
  });
});
