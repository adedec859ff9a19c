/**
 * `npm run doctor`: what works between here, the edge and Glance, whether an edge will help at all, and what to do about what
 * does not. Exit status 0: no NO; 1: there is one; 2: it could not look.
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { examine } from "./examine.ts";
import { readOptions, USAGE, UsageError } from "./options.ts";
import { table } from "./table.ts";

const WRANGLER = fileURLToPath(new URL("../../wrangler.toml", import.meta.url));

try {
  const args = process.argv.slice(2);
  if (args.includes("--help")) console.log(USAGE);
  else await look(args);
} catch (error) {
  if (error instanceof UsageError) console.error(`${error.message}\n\n${USAGE}`);
  else console.error("npm run doctor:", error);
  process.exitCode = 2;
}

async function look(args: readonly string[]): Promise<void> {
  const options = readOptions(args, process.env, await readFile(WRANGLER, "utf8"));
  const findings = await examine(options, await readNovaConf(options.novaConf));
  console.log(table(findings));
  if (findings.some(({ verdict }) => verdict === "NO")) process.exitCode = 1;
}

async function readNovaConf(path: string | null): Promise<string | null> {
  if (path === null) return null;
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new UsageError(`--nova-conf can't be read: ${cause instanceof Error ? cause.message : cause}`);
  }
}
