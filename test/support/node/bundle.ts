/** What `wrangler deploy` would upload. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { startWrangler } from "../../../scripts/wrangler.ts";

/** The environment variable that names a bundle which was built for all processes of a run. */
export const BUNDLE = "GLANCE_EDGE_BUNDLE";

let bundle: Promise<string> | null = null;

/** The bundle of the run, or else one that is built once in this process. */
export function readBundle(): Promise<string> {
  bundle ??= read();
  return bundle;
}

async function read(): Promise<string> {
  const given = process.env[BUNDLE];
  if (given !== undefined) return readFile(given, "utf8");
  const path = await buildBundle();
  const contents = await readFile(path, "utf8");
  await rm(dirname(path), { recursive: true });
  return contents;
}

/** @returns its path, in a directory of its own that the caller removes. @throws Error that says what wrangler did */
export async function buildBundle(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "edge-bundle-"));
  const wrangler = startWrangler(["deploy", "--dry-run", "--outdir", directory], "quiet");
  if ((await wrangler.ended) === 0) return join(directory, "index.js");
  await rm(directory, { recursive: true });
  throw new Error(`wrangler can't bundle the edge:\n${wrangler.output()}`);
}
