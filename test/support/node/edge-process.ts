/**
 * The edge as it is deployed, in a workerd process of its own: wrangler's production bundle and the bindings of
 * wrangler.toml on local R2, D1 and Durable Objects. Clients reach the Worker's own socket, without the proxies that
 * `wrangler dev` puts in front: what a test sees on the wire, and what a benchmark counts, is workerd's. Needs /proc.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions, unstable_splitSqlQuery } from "wrangler";
import { readBundle } from "./bundle.ts";
import { type PrivateNetwork, privateBindings, privateWorkers } from "./private-network.ts";
import { deadLetterWorkers, edgeQueues, type QueueOptions, readDeadLetters } from "./queues.ts";

const REPOSITORY = fileURLToPath(new URL("../../../", import.meta.url));
const MIGRATIONS = join(REPOSITORY, "migrations");
const NAME = "glance-edge";
/** Miniflare does not tell which process is its workerd: an environment variable of its own does. */
const MARK = "GLANCE_EDGE_PROCESS";

export interface EdgeOptions {
  /** Directory that holds R2, D1 and the Durable Objects: a second start with it finds them again. */
  readonly persist: string;
  /** Vars over those of wrangler.toml; ORIGIN_URL is needed. */
  readonly vars: Readonly<Record<string, string>>;
  /** Binds the notifications queue, with the edge as its consumer. Default: it is not bound. */
  readonly queues?: QueueOptions;
  /** Binds a private network. Default: what the edge asks is on loopback. */
  readonly network?: PrivateNetwork;
  /** Another Worker than the bundle of the edge, as one module. */
  readonly script?: string;
  /** Gets each line in the place of `logs`. */
  readonly onLog?: (line: string) => void;
  /** Whether its isolates can be looked into. Default: no. */
  readonly inspected?: boolean;
}

export interface EdgeProcess {
  /** Without a trailing slash. */
  readonly url: string;
  /** Of workerd. */
  readonly pid: number;
  /** The lines that workerd and the edge have written so far. */
  logs(): readonly string[];
  /** What ended in the dead-letter queue so far. @throws without queues */
  deadLetters(): Promise<unknown[]>;
  /** What it stores in, for a look past the edge. */
  stores(): Promise<{ readonly bucket: Bucket; readonly catalog: Database }>;
  /** Where its isolates can be looked into. @throws where that was not asked for */
  inspector(): Promise<URL>;
  /** Runs what wrangler.toml has for this cron expression, and waits for its end. @throws when the Worker does */
  runCron(cron: string): Promise<void>;
  /** Ends it; all that was written stays. Safe to call again, and after kill(). */
  stop(): Promise<void>;
  /** SIGKILL to workerd, as in a crash. */
  kill(): Promise<void>;
}

/** @throws when the bundle, the migrations or workerd fail */
export async function startEdge(options: EdgeOptions): Promise<EdgeProcess> {
  const contents = options.script ?? (await readBundle());
  // Without the page's files: with them the platform's router would stand in front of the Worker's socket.
  const { assets: _, ...workerOptions } = unstable_getMiniflareWorkerOptions(
    join(REPOSITORY, "wrangler.toml"),
  ).workerOptions;
  const lines: string[] = [];
  const log = options.onLog ?? ((line: string) => void lines.push(line));
  const mark = crypto.randomUUID();
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      workers: [
        {
          ...workerOptions,
          name: NAME,
          // The bundle is one module: there are none to find by rules.
          modulesRules: undefined,
          modules: [{ type: "ESModule", path: "index.js", contents }],
          // Not spread: wrangler's type calls its part unknown.
          bindings: Object.assign({}, workerOptions.bindings, options.vars),
          unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
          ...edgeQueues(options.queues),
          ...privateBindings(options.network),
        },
        ...deadLetterWorkers(options.queues),
        ...privateWorkers(options.network),
      ],
      resourcePersistencePath: options.persist,
      ...(options.inspected === true ? { inspectorPort: 0 } : {}),
      // Request.cf is made up otherwise, with data from the network.
      cf: false,
      unsafeRuntimeEnv: { [MARK]: mark },
      handleStructuredLogs: ({ message }) => log(message),
    }),
  );
  let ended: Promise<void> | null = null;
  const stop = () => {
    ended ??= miniflare.dispose();
    return ended;
  };
  try {
    const url = await miniflare.unsafeGetDirectURL(NAME);
    await applyMigrations(await miniflare.getD1Database("CATALOG", NAME));
    const pid = await findMarked(mark);
    return {
      url: url.origin,
      pid,
      logs: () => lines,
      deadLetters: () => readDeadLetters(miniflare),
      stores: async () => ({
        bucket: await miniflare.getR2Bucket("BUCKET", NAME),
        catalog: await miniflare.getD1Database("CATALOG", NAME),
      }),
      inspector: () => miniflare.getInspectorURL(),
      runCron: async (cron) => {
        const worker = await miniflare.getWorker(NAME);
        const { outcome } = await worker.scheduled({ cron });
        if (outcome !== "ok") throw new Error(`the cron ${cron} ended with ${outcome}`);
      },
      stop,
      kill: () => {
        if (ended === null) process.kill(pid, "SIGKILL");
        // At once, or Miniflare would start another workerd.
        return stop();
      },
    };
  } catch (cause) {
    await stop();
    throw cause;
  }
}

type Bucket = Awaited<ReturnType<Miniflare["getR2Bucket"]>>;
type Database = Awaited<ReturnType<Miniflare["getD1Database"]>>;

/** As `wrangler d1 migrations apply` does: each file once, noted in a table of the same name. */
async function applyMigrations(database: Database): Promise<void> {
  await database.prepare("CREATE TABLE IF NOT EXISTS d1_migrations (id INTEGER PRIMARY KEY, name TEXT UNIQUE)").run();
  const { results } = await database.prepare("SELECT name FROM d1_migrations").all<{ name: string }>();
  const applied = new Set(results.map((row) => row.name));
  for (const name of (await readdir(MIGRATIONS)).sort()) {
    if (!name.endsWith(".sql") || applied.has(name)) continue;
    const statements = unstable_splitSqlQuery(await readFile(join(MIGRATIONS, name), "utf8"));
    await database.batch([
      ...statements.map((statement) => database.prepare(statement)),
      database.prepare("INSERT INTO d1_migrations (name) VALUES (?)").bind(name),
    ]);
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
