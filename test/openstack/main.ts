/**
 * The suite, once for each kind of store that a Glance may have: client → edge → counting proxy → Glance, with Keystone
 * beside, and a Glance with its own cache to compare with. Brings all of it up in a directory of its own, runs
 * suite/*.test.ts with Node's test runner, and ends everything it started, whatever happens.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { freePorts } from "../../scripts/ports.ts";
import { startCountingProxy } from "./counting-proxy.ts";
import { startEdge } from "./lib/edge.ts";
import { STORES, type StoreKind, startCachingGlance, startGlance } from "./lib/glance.ts";
import { createApplicationCredential, startKeystone } from "./lib/keystone.ts";
import { Processes } from "./lib/processes.ts";
import { startUwsgiGlance } from "./lib/uwsgi-glance.ts";

const repository = resolve(import.meta.dirname, "../..");
/** What has nothing to do with the kind of store runs once, with the first. */
const STORE_BLIND = new Set(
  ["few-rights", "framing", "links", "manage-conformance", "observe", "pass-through", "spellings", "uwsgi"].map(
    (name) => `suite/${name}.test.ts`,
  ),
);
const states = mkdtempSync(join(tmpdir(), "glance-edge-openstack-"));
const began = performance.now();

/** Of the kind of store that is under way. */
let processes = new Processes(states);
let ending = false;
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const) {
  process.on(signal, () => {
    if (!ending) void end(code);
  });
}

try {
  const stores = chosenStores();
  const codes: number[] = [];
  const summaries: string[] = [];
  for (const [index, store] of stores.entries()) {
    const state = join(states, store);
    const summary = join(state, "summary");
    mkdirSync(join(state, "logs"), { recursive: true });
    processes = new Processes(join(state, "logs"));
    const { environment, close } = await bringUp(state, store);
    say(`up after ${seconds()} s, with a store of ${store} access`);
    const files = globSync("suite/*.test.ts", { cwd: import.meta.dirname }).sort();
    const wanted = files.filter((file) => index === 0 || !STORE_BLIND.has(file));
    if (wanted.length === 0) throw new Error("no suite/*.test.ts");
    codes.push(await runSuite(environment, wanted, summary));
    if (codes.at(-1) !== 0 && !ending) console.error(processes.tails());
    if (existsSync(summary)) summaries.push(`store of ${store} access: ${readFileSync(summary, "utf8").trimEnd()}`);
    await processes.endAll();
    await close();
    if (ending) break;
  }
  for (const line of summaries) console.log(line);
  if (!ending) await end(codes.find((code) => code !== 0) ?? 0);
} catch (error) {
  if (!ending) {
    console.error(processes.tails());
    console.error("test:openstack:", error);
    await end(1);
  }
}

/** @throws Error when STORE names no kind of store */
function chosenStores(): readonly StoreKind[] {
  // An edge that runs already has one origin, and one Keystone.
  const asked = process.env.STORE ?? (process.env.EDGE_URL === undefined ? "both" : "random");
  const stores = STORES.filter((store) => asked === "both" || store === asked);
  if (stores.length === 0) throw new Error(`STORE must be random, sequential or both, not ${asked}`);
  return stores;
}

interface Cloud {
  /** What the suite has to know, as environment variables (read by suite/cloud.ts). */
  readonly environment: Record<string, string>;
  /** Ends what is no process of its own. */
  readonly close: () => Promise<void>;
}

async function bringUp(state: string, store: StoreKind): Promise<Cloud> {
  const [keystonePort = 0, glancePort = 0, cachingPort = 0, edgePort = 0, uwsgiPort = 0, freePort = 0] =
    await freePorts(6);
  const given = process.env.EDGE_URL;
  const proxy = await startCountingProxy({
    origin: { host: "127.0.0.1", port: glancePort },
    port: Number(process.env.ORIGIN_PORT ?? freePort),
    countsPort: 0,
  });
  const noEdge = given === "none";
  const edgeUrl = noEdge ? proxy.url : (given ?? `http://127.0.0.1:${edgePort}`);
  const keystoneUrl = `http://127.0.0.1:${keystonePort}/v3`;
  const glanceUrl = `http://127.0.0.1:${glancePort}`;
  const cachingGlanceUrl = `http://127.0.0.1:${cachingPort}`;
  const uwsgiGlanceUrl = `http://127.0.0.1:${uwsgiPort}`;

  const bringKeystoneUp = async () => {
    await startKeystone(processes, state, keystonePort, edgeUrl);
    say(`Keystone answers at ${keystoneUrl}`);
  };
  const bringGlancesUp = async () => {
    await startGlance(processes, state, glancePort, keystoneUrl, store);
    say(`Glance answers at ${glanceUrl}, counted at ${proxy.url}`);
    await startCachingGlance(processes, state, cachingPort, keystoneUrl, store);
    say(`a Glance with its own cache answers at ${cachingGlanceUrl}`);
    await startUwsgiGlance(processes, state, uwsgiPort, keystoneUrl);
    say(`a Glance under uWSGI answers at ${uwsgiGlanceUrl}`);
  };
  const bringEdgeUp = async (keystoneUp: Promise<void>) => {
    if (given !== undefined) return;
    // A credential has to be made first. Otherwise they need each other only to answer requests, and come up together.
    const withCredential = process.env.SERVICE_CREDENTIAL !== "0";
    if (withCredential) await keystoneUp;
    const credential = withCredential ? await createApplicationCredential(keystoneUrl, "admin") : null;
    const persistTo = join(state, "edge");
    await startEdge(processes, {
      port: edgePort,
      originUrl: proxy.url,
      keystoneUrl,
      persistTo,
      repository,
      credential,
    });
    say(`the edge answers at ${edgeUrl}${withCredential ? ", with a credential of its own" : ""}`);
  };
  const keystoneUp = bringKeystoneUp();
  await Promise.all([keystoneUp, bringGlancesUp(), bringEdgeUp(keystoneUp)]);
  if (noEdge) say("no edge: what does not depend on it is checked against Glance itself");

  const work = join(state, "work");
  mkdirSync(work);
  const environment = {
    EDGE_URL: edgeUrl,
    NO_EDGE: noEdge ? "1" : "",
    STORE: store,
    GLANCE_LOG: processes.logOf("glance-api"),
    GLANCE_URL: glanceUrl,
    CACHING_GLANCE_URL: cachingGlanceUrl,
    UWSGI_GLANCE_URL: uwsgiGlanceUrl,
    PROXY_URL: proxy.url,
    COUNTS_URL: proxy.countsUrl,
    KEYSTONE_URL: keystoneUrl,
    WORK_DIR: work,
    LOGS_DIR: join(state, "logs"),
  };
  return { environment, close: proxy.close };
}

async function runSuite(
  environment: Record<string, string>,
  files: readonly string[],
  summary: string,
): Promise<number> {
  const only = process.env.ONLY === undefined ? [] : [`--test-name-pattern=${process.env.ONLY}`];
  const runner = spawn(
    process.execPath,
    // One file after the other: they share one Glance, and measure it.
    [
      ...["--test", "--test-concurrency=1", ...only],
      ...["--test-reporter=spec", "--test-reporter-destination=stdout"],
      ...["--test-reporter=./lib/summary-reporter.ts", `--test-reporter-destination=${summary}`],
      ...files,
    ],
    { cwd: import.meta.dirname, env: { ...process.env, ...environment }, stdio: "inherit" },
  );
  process.once("exit", () => runner.kill());
  const [code] = await once(runner, "exit");
  return code ?? 1;
}

async function end(code: number): Promise<void> {
  ending = true;
  await processes.endAll();
  if (process.env.KEEP_STATE === "1") say(`state kept in ${states}`);
  else rmSync(states, { recursive: true, force: true, maxRetries: 3 });
  process.exit(code);
}

function say(text: string): void {
  console.log(`# ${text}`);
}

function seconds(): string {
  return ((performance.now() - began) / 1000).toFixed(1);
}
