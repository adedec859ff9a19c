/**
 * One run of the suite: client → edge → counting proxy → Glance, with Keystone beside, and a Glance with its own cache
 * to compare with. Brings all of it up in a directory of its own, runs suite/*.test.ts with Node's test runner, and ends
 * everything it started, whatever happens.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { startCountingProxy } from "./counting-proxy.ts";
import { freePorts } from "./lib/answering.ts";
import { startEdge } from "./lib/edge.ts";
import { startCachingGlance, startGlance } from "./lib/glance.ts";
import { createApplicationCredential, startKeystone } from "./lib/keystone.ts";
import { Processes } from "./lib/processes.ts";
import { startUwsgiGlance } from "./lib/uwsgi-glance.ts";

const repository = resolve(import.meta.dirname, "../..");
const state = mkdtempSync(join(tmpdir(), "glance-edge-openstack-"));
const logs = join(state, "logs");
mkdirSync(logs);
const summary = join(state, "summary");
const processes = new Processes(logs);
const began = performance.now();

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
  const environment = await bringUp();
  say(`up after ${seconds()} s`);
  const code = await runSuite(environment);
  if (code !== 0 && !ending) console.error(processes.tails());
  if (existsSync(summary)) console.log(readFileSync(summary, "utf8").trimEnd());
  if (!ending) await end(code);
} catch (error) {
  if (!ending) {
    console.error(processes.tails());
    console.error("test:openstack:", error);
    await end(1);
  }
}

/** @returns what the suite has to know, as environment variables (read by suite/cloud.ts) */
async function bringUp(): Promise<Record<string, string>> {
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
    await startGlance(processes, state, glancePort, keystoneUrl);
    say(`Glance answers at ${glanceUrl}, counted at ${proxy.url}`);
    await startCachingGlance(processes, state, cachingPort, keystoneUrl);
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
  return {
    EDGE_URL: edgeUrl,
    NO_EDGE: noEdge ? "1" : "",
    GLANCE_URL: glanceUrl,
    CACHING_GLANCE_URL: cachingGlanceUrl,
    UWSGI_GLANCE_URL: uwsgiGlanceUrl,
    PROXY_URL: proxy.url,
    COUNTS_URL: proxy.countsUrl,
    KEYSTONE_URL: keystoneUrl,
    WORK_DIR: work,
    LOGS_DIR: logs,
  };
}

async function runSuite(environment: Record<string, string>): Promise<number> {
  const files = globSync("suite/*.test.ts", { cwd: import.meta.dirname }).sort();
  if (files.length === 0) throw new Error("no suite/*.test.ts");
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
  if (process.env.KEEP_STATE === "1") say(`state kept in ${state}`);
  else rmSync(state, { recursive: true, force: true, maxRetries: 3 });
  process.exit(code);
}

function say(text: string): void {
  console.log(`# ${text}`);
}

function seconds(): string {
  return ((performance.now() - began) / 1000).toFixed(1);
}
