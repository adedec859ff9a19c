/** `npm run check` refuses an import that the map in docs/architecture.md has not: shown with planted ones. */
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A file of a room, and what it must not import. */
const FORBIDDEN: readonly (readonly [string, string])[] = [
  ["src/settings.ts", "./http/headers.ts"],
  ["src/memory.ts", "./download/answer.ts"],
  ["src/router.ts", "./upkeep/cron.ts"],
  ["src/router.ts", "./fill/object/fill.ts"],
  ["src/context.ts", "./fill/object/fill.ts"],
  ["src/lib/log.ts", "../settings.ts"],
  ["src/http/headers.ts", "../glance/target.ts"],
  ["src/digest/gate.ts", "../store/objects.ts"],
  ["src/keystone/api.ts", "../glance/forward.ts"],
  ["src/glance/forward.ts", "../store/objects.ts"],
  ["src/glance/forward.ts", "../context.ts"],
  ["src/store/objects.ts", "../fill/client.ts"],
  ["src/notify/send.ts", "../store/objects.ts"],
  ["src/fill/client.ts", "./object/rules.ts"],
  ["src/fill/client.ts", "../keystone/api.ts"],
  ["src/fill/object/rules.ts", "../../download/decide.ts"],
  ["src/fill/object/rules.ts", "../../context.ts"],
  ["src/observe/metrics.ts", "../manage/manage.ts"],
  ["src/observe/health.ts", "../download/decide.ts"],
  ["src/observe/health.ts", "../fill/object/rules.ts"],
  ["src/manage/manage.ts", "../observe/health.ts"],
  ["src/page/page.ts", "../download/decide.ts"],
  ["src/page/page.ts", "../fill/object/rules.ts"],
  ["src/manage/manage.ts", "../page/page.ts"],
  ["page/src/client.ts", "../../src/page/page.ts"],
  ["src/upkeep/prune.ts", "../manage/manage.ts"],
  ["src/upkeep/prune.ts", "../fill/object/rules.ts"],
  ["src/manage/manage.ts", "../download/decide.ts"],
  ["src/download/decide.ts", "../fill/object/rules.ts"],
  ["src/download/decide.ts", "../keystone/api.ts"],
  ["src/download/decide.ts", "../manage/manage.ts"],
];

/** Edges that the map has. */
const ALLOWED: readonly (readonly [string, string])[] = [
  ["src/download/decide.ts", "../glance/target.ts"],
  ["src/fill/object/rules.ts", "../protocol.ts"],
  ["src/fill/object/rules.ts", "../../store/objects.ts"],
  ["src/glance/forward.ts", "../lib/log.ts"],
  ["src/page/page.ts", "../manage/manage.ts"],
  ["page/src/client.ts", "../../src/page/schemas.ts"],
];

describe("npm run check", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "boundaries-"));
    await cp(join(ROOT, "biome.json"), join(directory, "biome.json"));
  });
  afterAll(() => rm(directory, { recursive: true }));

  /** What Biome says of a tree of nothing but these two files. */
  async function lint(file: string, imported: string, back: string | null = null): Promise<string> {
    const tree = await mkdtemp(join(directory, "tree-"));
    await cp(join(directory, "biome.json"), join(tree, "biome.json"));
    const write = async (path: string, text: string) => {
      await mkdir(dirname(join(tree, path)), { recursive: true });
      await writeFile(join(tree, path), text);
    };
    await write(join(dirname(file), imported), back === null ? "export const there = 1;\n" : planted(back));
    await write(file, planted(imported));
    const biome = join(ROOT, "node_modules/.bin/biome");
    return new Promise((resolve) => {
      execFile(biome, ["lint", "--vcs-enabled=false", "."], { cwd: tree }, (_, stdout, stderr) =>
        resolve(stdout + stderr),
      );
    });
  }

  it.each(FORBIDDEN)("refuses that %s imports %s", async (file, imported) => {
    expect(await lint(file, imported)).toContain("Not an edge of the map in docs/architecture.md");
  });

  it.each(ALLOWED)("lets %s import %s", async (file, imported) => {
    expect(await lint(file, imported)).toMatch(/Checked \d+ files/);
    expect(await lint(file, imported)).not.toContain("lint/");
  });

  it("refuses two files that import each other", async () => {
    expect(await lint("src/http/headers.ts", "./loop.ts", "./headers.ts")).toContain("part of a cycle");
  });
});

function planted(imported: string): string {
  return `import { there } from "${imported}";\n\nexport const here = there;\nexport { there };\n`;
}
