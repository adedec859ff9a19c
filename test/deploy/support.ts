/** A project as small as can be, with the real wrangler.toml and migrations, and the scripts run on it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { FakeCloudflare } from "./fake-cloudflare.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Builds in a moment, and has what wrangler.toml names. */
const WORKER = "export class Fill {}\nexport default { fetch: () => new Response(), scheduled() {}, queue() {} };\n";

/** @param change of wrangler.toml @returns the directory */
export async function makeProject(change: (toml: string) => string = (toml) => toml): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "glance-edge-deploy-"));
  const toml = await readFile(join(ROOT, "wrangler.toml"), "utf8");
  const small = toml.replace(/^\[build\]\n(?:.+\n)+/m, "").replace(/^main = .*$/m, 'main = "worker.ts"');
  await writeFile(join(directory, "wrangler.toml"), change(small));
  await writeFile(join(directory, "worker.ts"), WORKER);
  await cp(join(ROOT, "migrations"), join(directory, "migrations"), { recursive: true });
  await mkdir(join(directory, "dist/page"), { recursive: true });
  await writeFile(join(directory, "dist/page/index.html"), "<!doctype html>");
  return directory;
}

/** The lines for notifications at the end of wrangler.toml, without their #. */
export function withQueues(toml: string): string {
  return toml.replace(/^# (\[\[queues|binding = "NOTIF|queue =|max_|dead_)/gm, "$1");
}

export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a script in a project, as npm does, where nobody can be asked.
 * @param interruptAt interrupted once it has said this
 */
export async function runScript(
  script: "deploy" | "trial",
  fake: FakeCloudflare,
  directory: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  interruptAt: RegExp | null = null,
): Promise<Run> {
  const child = spawn(process.execPath, [join(ROOT, `scripts/${script}/main.ts`), ...args], {
    cwd: directory,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: process.env.PATH ?? "",
      // Of a user who has never logged in.
      HOME: directory,
      CLOUDFLARE_API_BASE_URL: fake.api,
      CLOUDFLARE_API_TOKEN: "made-up",
      // Where wrangler looks for a newer one after an error.
      npm_config_registry: fake.edge,
      NO_COLOR: "1",
      ...environment,
    },
  });
  const said = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said.stdout += text;
    if (interruptAt?.test(said.stdout)) child.kill("SIGINT");
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said.stderr += text;
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, ...said };
}
