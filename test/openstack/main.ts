/**
 * One run of the suite: client → edge → counting proxy → Glance, with Keystone beside. Brings all of it up in a
 * directory of its own, runs suite/*.test.ts with Node's test runner, and ends everything it started, whatever happens.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { startCountingProxy } from "./counting-proxy.ts";
import { freePorts } from "./lib/answering.ts";
import { startEdge } from "./lib/edge.ts";
import { startGlance } from "./lib/glance.ts";
import { startKeystone } from "./lib/keystone.ts";
import { Processes } from "./lib/processes.ts";

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
  const [keystonePort = 0, glancePort = 0, edgePort = 0, freePort = 0] = await freePorts(4);
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

  // They need each other only to answer requests, so they come up together.
  const starts = [
    startKeystone(processes, state, keystonePort, edgeUrl).then(() => say(`Keystone answers at ${keystoneUrl}`)),
    startGlance(processes, state, glancePort, keystoneUrl).then(() =>
      say(`Glance answers at ${glanceUrl}, counted at ${proxy.url}`),
    ),
  ];
  if (given === undefined) {
    const persistTo = join(state, "edge");
    const edge = { port: edgePort, originUrl: proxy.url, keystoneUrl, persistTo, repository };
    starts.push(startEdge(processes, edge).then(() => say(`the edge answers at ${edgeUrl}`)));
  }
  await Promise.all(starts);
  if (noEdge) say("no edge: what does not depend on it is checked against Glance itself");

  const work = join(state, "work");
  mkdirSync(work);
  return {
    EDGE_URL: edgeUrl,
    NO_EDGE: noEdge ? "1" : "",
    GLANCE_URL: glanceUrl,
    PROXY_URL: proxy.url,
    COUNTS_URL: proxy.countsUrl,
    KEYSTONE_URL: keystoneUrl,
    WORK_DIR: work,
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
