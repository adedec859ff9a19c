/** `npm start` as a user runs it, with ports and a store of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { isFree } from "../../scripts/ports.ts";

const REPOSITORY = fileURLToPath(new URL("../../", import.meta.url));

/** How long its first build may take, on a busy machine. */
const READY_MS = 45_000;

export interface Started {
  readonly port: number;
  /** What it has printed. */
  readonly output: string;
  end(): Promise<void>;
}

/** Starts it and waits until it says that it's ready. @throws Error with what it printed when it ends instead */
export async function npmStart(flags: readonly string[]): Promise<Started> {
  const port = await freePort();
  const persist = await mkdtemp(join(tmpdir(), "edge-start-"));
  const own = ["--port", String(port), "--persist-to", persist, "--inspector-port", "0"];
  const child = spawn("npm", ["start", "--", ...flags, ...own], {
    cwd: REPOSITORY,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const exited = once(child, "exit");
  let output = "";
  const end = async () => {
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined)
      process.kill(-child.pid, "SIGTERM");
    await exited;
    // npm goes before the script it runs, which ends its own children and then itself.
    for (let tries = 0; tries < 100 && !(await isFree("*", port)); tries++) await sleep(50);
    await rm(persist, { recursive: true, force: true });
  };
  try {
    await new Promise<void>((resolve, reject) => {
      const look = (text: string) => {
        output += text;
        if (/^ready/m.test(output)) resolve();
      };
      child.stdout.setEncoding("utf8").on("data", look);
      child.stderr.setEncoding("utf8").on("data", look);
      child.once("exit", () => reject(new Error(`npm start ended:\n${output}`)));
      setTimeout(() => reject(new Error(`npm start is not ready:\n${output}`)), READY_MS).unref();
    });
  } catch (error) {
    await end();
    throw error;
  }
  return { port, output, end };
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0), "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server without a port");
  await once(server.close(), "close");
  return address.port;
}
