/**
 * Starts one Worker in a workerd process of its own, reached on a direct socket, and tells what CPU that process used.
 * The edge and the floors are started alike: the settings of wrangler.toml, with R2, D1 and Durable Objects simulated by
 * Miniflare inside that same process. For Linux (/proc).
 */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions, unstable_splitSqlQuery } from "wrangler";
import { startWrangler } from "../scripts/wrangler.ts";
import { processMeter, untilIdle } from "./servers/cpu.ts";

const REPOSITORY = fileURLToPath(new URL("..", import.meta.url));
const NAME = "bench";
const EDGE_NAME = "src/index.ts";
/** Miniflare does not tell which process is its workerd: an environment variable of its own does. */
const MARK = "GLANCE_EDGE_BENCH";

export interface Workerd {
  readonly url: string;
  /** Where its R2, D1 and Durable Objects are. */
  readonly directory: string;
  /** CPU seconds (user and system) that the process has used so far. */
  cpuSeconds(): number;
  /** Waits until the process does nothing, for example because a fill in the background is done. */
  idle(): Promise<void>;
}

interface Running extends Workerd {
  stop(): Promise<void>;
}

const running: Promise<Running>[] = [];

/** Ends all that were started. */
export async function stopAll(): Promise<void> {
  for (const result of await Promise.allSettled(running.splice(0))) {
    if (result.status === "fulfilled") await result.value.stop();
  }
}

/** Starts the edge as `wrangler deploy` would upload it. @param vars over those of wrangler.toml */
export async function startEdge(vars: Readonly<Record<string, string>>): Promise<Workerd> {
  edge ??= buildEdge();
  return launch([{ name: EDGE_NAME, contents: await edge }], { vars });
}

/**
 * Starts the edge inside of a Worker of the bench, which imports it from src/index.ts.
 * @param imported what that Worker imports beside it
 */
export async function startAround(
  script: string,
  vars: Readonly<Record<string, string>>,
  ...imported: readonly string[]
): Promise<Workerd> {
  edge ??= buildEdge();
  const modules = await Promise.all([script, ...imported].map(moduleOf));
  return launch([...modules, { name: EDGE_NAME, contents: await edge }], { vars });
}

/** Starts a Worker of the bench that has the edge's index, and what it imports. */
export async function startWithIndex(script: string, ...imported: readonly string[]): Promise<Workerd> {
  return launch(await Promise.all([script, ...imported].map(moduleOf)), { bare: "with-index" });
}

/** Starts a Worker of the bench that imports nothing. @param fill it has a Durable Object of the name Fill */
export async function startBare(script: string, fill: "with-fill" | "alone" = "alone"): Promise<Workerd> {
  return launch([await moduleOf(script)], { bare: fill });
}

/** What is bound beside R2: all that the edge has, with these vars, or no more than a floor needs. */
type Bound =
  | { readonly vars: Readonly<Record<string, string>> }
  | { readonly bare: "with-fill" | "with-index" | "alone" };

interface Module {
  /** Its path from the repository's root: what imports are resolved against. */
  readonly name: string;
  readonly contents: string;
}

async function moduleOf(script: string): Promise<Module> {
  return { name: script, contents: stripTypeScriptTypes(await readFile(join(REPOSITORY, script), "utf8")) };
}

function launch(modules: readonly Module[], bound: Bound): Promise<Workerd> {
  const starting = start(modules, bound);
  running.push(starting);
  return starting;
}

async function start(modules: readonly Module[], bound: Bound): Promise<Running> {
  const directory = await mkdtemp(join(tmpdir(), "glance-edge-bench-"));
  // Without the page's files: with them the platform's router would stand in front of the socket that is measured.
  const { assets: _, ...workerOptions } = unstable_getMiniflareWorkerOptions(
    join(REPOSITORY, "wrangler.toml"),
  ).workerOptions;
  const mark = crypto.randomUUID();
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      workers: [
        {
          ...workerOptions,
          name: NAME,
          ...("bare" in bound && bound.bare !== "with-index" ? { d1Databases: {} } : {}),
          ...("bare" in bound && bound.bare !== "with-fill" ? { durableObjects: {} } : {}),
          // The modules are all here: there are none to find by rules.
          modulesRules: undefined,
          modules: modules.map(({ name, contents }) => ({ type: "ESModule", path: name, contents })),
          // Not spread: wrangler's type calls its part unknown.
          bindings: Object.assign({}, workerOptions.bindings, "vars" in bound ? bound.vars : {}),
          unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
        },
      ],
      resourcePersistencePath: directory,
      // Request.cf is made up otherwise, with data from the network.
      cf: false,
      unsafeRuntimeEnv: { [MARK]: mark },
      // What the edge logs would be noise here; what goes wrong shows in the bytes.
      handleStructuredLogs: () => undefined,
    }),
  );
  const stop = async () => {
    await miniflare.dispose();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const url = await miniflare.unsafeGetDirectURL(NAME);
    if ("vars" in bound || bound.bare === "with-index") await applyMigrations(miniflare);
    const pid = await findMarked(mark);
    const meter = processMeter("workerd", pid);
    return { url: url.origin, directory, cpuSeconds: meter.cpuSeconds, idle: () => untilIdle([meter]), stop };
  } catch (cause) {
    await stop();
    throw cause;
  }
}

/** One for all that need it. */
let edge: Promise<string> | null = null;

async function buildEdge(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "glance-edge-bundle-"));
  try {
    const wrangler = startWrangler(["deploy", "--dry-run", "--outdir", directory], "quiet");
    if ((await wrangler.ended) !== 0) throw new Error(`wrangler can't bundle the edge:\n${wrangler.output()}`);
    return await readFile(join(directory, "index.js"), "utf8");
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function findMarked(mark: string): Promise<number> {
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    // Another user's process can't be read, and one may end meanwhile: neither is ours.
    const environment = await readFile(`/proc/${entry}/environ`, "latin1").catch(() => "");
    if (environment.split("\0").includes(`${MARK}=${mark}`)) return Number(entry);
  }
  throw new Error("workerd is not running");
}

async function applyMigrations(miniflare: Miniflare): Promise<void> {
  const database = await miniflare.getD1Database("CATALOG", NAME);
  const directory = join(REPOSITORY, "migrations");
  for (const file of (await readdir(directory)).sort()) {
    const statements = unstable_splitSqlQuery(await readFile(join(directory, file), "utf8"));
    await database.batch(statements.map((statement) => database.prepare(statement)));
  }
}
