/** Runs wrangler as a child that can be ended with everything it started itself. */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const REPOSITORY = fileURLToPath(new URL("..", import.meta.url));
const PROGRAM = fileURLToPath(new URL("../node_modules/wrangler/bin/wrangler.js", import.meta.url));

/** How long workerd may take to write its state down before it's killed. */
const STOP_MS = 5000;

export interface Wrangler {
  /** Of the group of processes; undefined: it did not start. */
  readonly pid: number | undefined;
  /** The exit code; 128 + the signal's number when it was killed. */
  readonly ended: Promise<number>;
  /** What a quiet one has printed. */
  output(): string;
  /** The same, without errors and warnings. */
  stdout(): string;
  stop(): Promise<void>;
}

/** @param mode "quiet" keeps what it prints for output() */
export function startWrangler(
  args: readonly string[],
  mode: "shown" | "quiet",
  environment: Readonly<Record<string, string>> = {},
): Wrangler {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    cwd: REPOSITORY,
    // A group of its own: wrangler's workerd and esbuild end with it, and Ctrl-C reaches them through stop() alone.
    detached: true,
    stdio: ["ignore", mode === "shown" ? "inherit" : "pipe", mode === "shown" ? "inherit" : "pipe"],
    env: {
      ...process.env,
      WRANGLER_SEND_METRICS: "false",
      // The banner asks the registry for a newer version, and Request.cf a site for made-up data: neither is needed.
      WRANGLER_HIDE_BANNER: "true",
      CLOUDFLARE_CF_FETCH_ENABLED: "false",
      ...environment,
    },
  });
  const printed: string[] = [];
  const answered: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      printed.push(text);
      if (stream === child.stdout) answered.push(text);
    });
  }
  const ended = new Promise<number>((resolve) => {
    child.once("error", (error) => {
      console.error("wrangler does not start:", error.message);
      resolve(1);
    });
    // A shell's way to tell a signal.
    child.once("close", (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
  return {
    pid: child.pid,
    ended,
    output: () => printed.join(""),
    stdout: () => answered.join(""),
    stop: async () => {
      signalGroup(child.pid, "SIGTERM");
      await Promise.race([ended, setTimeout(STOP_MS)]);
      // Also when wrangler itself is gone: what it started may not be.
      signalGroup(child.pid, "SIGKILL");
    },
  };
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // ESRCH: nobody is left in the group.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
