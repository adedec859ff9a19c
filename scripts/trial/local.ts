/** A trial on this machine: both Workers by `wrangler dev`, each in processes of its own. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Stop } from "../deploy/stop.ts";
import { freePorts } from "../ports.ts";
import { startWrangler, type Wrangler } from "../wrangler.ts";
import type { Stage } from "./measure.ts";
import { edgeConfig, originConfig } from "./plan.ts";
import type { TrialTools } from "./tools.ts";

const READY_MS = 120_000;
/** Of /proc/PID/stat, on Linux whatever the machine. */
const TICK_MS = 10;

export async function locally({ trial, raw, undo, writeConfig, say }: TrialTools): Promise<Stage> {
  const directory = await mkdtemp(join(tmpdir(), "glance-edge-trial-"));
  undo.add("temporary directory", () => rm(directory, { recursive: true, force: true }));
  const state = ["--persist-to", directory];

  const [originPort = 0] = await freePorts(1);
  const originUrl = `http://127.0.0.1:${originPort}`;
  const originFile = await writeConfig(originConfig(raw, trial, undefined));
  await develop(originFile, originUrl, state, (origin) => undo.add("made-up Glance", origin.stop));
  say(`made-up Glance: ${originUrl}`);

  const [port = 0] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  const file = await writeConfig(edgeConfig(raw, trial, { ORIGIN_URL: originUrl, JURISDICTION: "" }));
  const migrating = startWrangler(
    ["d1", "migrations", "apply", "CATALOG", "--local", "--config", file, ...state],
    "quiet",
  );
  if ((await migrating.ended) !== 0) throw new Stop(`The migrations could not be applied: ${migrating.output()}`);
  let edge: Wrangler | null = null;
  const started = (wrangler: Wrangler) => {
    edge = wrangler;
    undo.add("edge", wrangler.stop);
  };
  await develop(file, url, state, started);
  say(`edge: ${url}`);
  return {
    url,
    cpuMs: async () => cpuOf(edge?.pid),
    replace: async () => {
      await edge?.stop();
      await develop(file, url, state, started);
    },
  };
}

/** @param started is told of it before it answers, so that it ends with whatever fails */
async function develop(
  file: string,
  url: string,
  state: readonly string[],
  started: (running: Wrangler) => void,
): Promise<void> {
  const { port } = new URL(url);
  const running = startWrangler(
    [
      ...["dev", "--config", file, "--ip", "127.0.0.1", "--port", port, "--inspector-port", "0"],
      ...["--show-interactive-dev-session=false", ...state],
    ],
    "quiet",
  );
  started(running);
  for (const deadline = Date.now() + READY_MS; ; await sleep(200)) {
    try {
      await (await fetch(`${url}/versions`)).arrayBuffer();
      return;
    } catch (cause) {
      if (Date.now() < deadline && (await Promise.race([running.ended, sleep(0, null)])) === null) continue;
      throw new Stop(`wrangler dev did not start: ${running.output().trim().split("\n").at(-1)}`, { cause });
    }
  }
}

/** Of the workerds that wrangler has started. @returns null where there is no /proc */
async function cpuOf(group: number | undefined): Promise<number | null> {
  let ticks: number | null = null;
  for (const pid of await readdir("/proc").catch(() => [])) {
    const stat = /^\d+$/.test(pid) ? await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "") : "";
    if (!stat.includes("(workerd)")) continue;
    // Behind the name: state, parent, group, and from the 12th on user and system time (proc(5)).
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (Number(fields[2]) === group) ticks = (ticks ?? 0) + Number(fields[11]) + Number(fields[12]);
  }
  return ticks === null ? null : ticks * TICK_MS;
}
