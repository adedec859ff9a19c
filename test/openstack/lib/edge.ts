/** The edge under test, started the way a user starts it. */
import { untilAnswers } from "./answering.ts";
import type { Processes } from "./processes.ts";

export interface EdgeOptions {
  readonly port: number;
  readonly originUrl: string;
  readonly keystoneUrl: string;
  /** Directory for the local R2, D1 and Durable Objects. */
  readonly persistTo: string;
  readonly repository: string;
}

export async function startEdge(processes: Processes, options: EdgeOptions): Promise<void> {
  const server = processes.start({
    name: "edge",
    file: "npm",
    args: [
      ...["start", "--", "--var", `ORIGIN_URL:${options.originUrl}`, "--var", `KEYSTONE_URL:${options.keystoneUrl}`],
      ...["--port", String(options.port), "--persist-to", options.persistTo],
    ],
    cwd: options.repository,
  });
  await untilAnswers(`http://127.0.0.1:${options.port}/`, server.died, 120);
}
