/** Builds the page (page/) into dist/page, from where wrangler takes it as static assets. */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Rollup } from "vite";

const ROOT = fileURLToPath(new URL("../page", import.meta.url));
const OUT = fileURLToPath(new URL("../dist/page", import.meta.url));

const built = await build({
  root: ROOT,
  configFile: false,
  logLevel: "warn",
  // Relative: PUBLIC_URL may have a path.
  base: "./",
  build: {
    write: false,
    target: "es2022",
    // Nothing becomes a data: URL, which the page's Content-Security-Policy forbids.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});

// Written here and not by vite, which empties the directory first: several builds may run at a time, and the files that
// they make of the same sources are the same.
const outputs = (Array.isArray(built) ? built : [built as Rollup.RollupOutput]).flatMap(({ output }) => output);
const kept = new Set<string>();
for (const file of outputs) {
  const path = join(OUT, file.fileName);
  const content = Buffer.from(file.type === "chunk" ? file.code : file.source);
  kept.add(path);
  const before = await readFile(path).catch(() => null);
  if (before?.equals(content)) continue;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}
for (const entry of await readdir(OUT, { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name);
  if (entry.isFile() && !kept.has(path)) await rm(path, { force: true });
}
