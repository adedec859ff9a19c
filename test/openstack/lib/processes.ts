/**
 * The programs that a run starts: each in a process group of its own with a log of its own, so that all of it ends
 * with the run, whatever ends the run, and a failure can show the end of each log.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** The system's own Python programs first: another Python in PATH would not find their modules. */
const SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin";
const PATIENCE_MS = 8_000;
const TAIL_LINES = 25;

export interface Command {
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export class Processes {
  readonly #logs: string;
  readonly #running = new Map<ChildProcess, string>();
  readonly #named: string[] = [];
  #ended = false;

  /** @param logs directory for the logs */
  constructor(logs: string) {
    this.#logs = logs;
  }

  /** Starts a program that stays. `died` rejects when it ends. */
  start(command: Command): { readonly died: Promise<never> } {
    const child = this.#spawn(command);
    const died = this.#exit(child).then((how): never => {
      throw new Error(`${command.name} ended (${how})`);
    });
    // Whoever waits for the program to answer races with `died`; later, its end shows in the suite itself.
    died.catch(() => undefined);
    return { died };
  }

  /** Runs a program to its end. @throws Error when it fails */
  async run(command: Command): Promise<void> {
    const child = this.#spawn(command);
    const how = await this.#exit(child);
    if (how !== "code 0") throw new Error(`${command.name} failed (${how})`);
  }

  /** Asks every group to end, then ends what is left. */
  async endAll(): Promise<void> {
    this.#ended = true;
    const children = [...this.#running.keys()];
    for (const child of children) signalGroup(child, "SIGTERM");
    const deadline = Date.now() + PATIENCE_MS;
    while (children.some(groupLives) && Date.now() < deadline) await sleep(50);
    for (const child of children) signalGroup(child, "SIGKILL");
  }

  /** The process group of a program that runs: its own processes and those that they started. */
  groupOf(name: string): number {
    const [child] = [...this.#running].find(([, one]) => one === name) ?? [];
    if (child?.pid === undefined) throw new Error(`${name} was not started`);
    return child.pid;
  }

  /** The log of a program, which may be written to still. */
  logOf(name: string): string {
    return join(this.#logs, `${name}.log`);
  }

  /** The last lines of every log, for a person who asks why a run failed. */
  tails(): string {
    const shown = this.#named.filter((name) => existsSync(this.logOf(name)));
    return shown
      .map((name) => {
        const lines = readFileSync(this.logOf(name), "utf8").trimEnd().split("\n");
        return `--- ${name}\n${lines.slice(-TAIL_LINES).join("\n")}`;
      })
      .join("\n");
  }

  #spawn(command: Command): ChildProcess {
    if (this.#ended) throw new Error(`${command.name} is not started: the run has ended`);
    const log = openSync(this.logOf(command.name), "a");
    if (!this.#named.includes(command.name)) this.#named.push(command.name);
    try {
      const child = spawn(command.file, command.args, {
        cwd: command.cwd,
        detached: true,
        env: { ...process.env, PATH: `${SYSTEM_PATH}:${process.env.PATH ?? ""}`, ...command.env },
        stdio: ["ignore", log, log],
      });
      this.#running.set(child, command.name);
      return child;
    } finally {
      closeSync(log);
    }
  }

  async #exit(child: ChildProcess): Promise<string> {
    const [code, signal] = await once(child, "exit");
    return signal === null ? `code ${code}` : `signal ${signal}`;
  }
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals | 0): boolean {
  if (child.pid === undefined) return false;
  try {
    return process.kill(-child.pid, signal);
  } catch {
    return false; // ESRCH: the whole group has ended already.
  }
}

function groupLives(child: ChildProcess): boolean {
  return signalGroup(child, 0);
}
