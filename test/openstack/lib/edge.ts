/** The edge under test, started the way a user starts it. */
import { untilAnswers } from "./answering.ts";
import type { ApplicationCredential } from "./keystone.ts";
import type { Processes } from "./processes.ts";

export interface EdgeOptions {
  readonly port: number;
  readonly originUrl: string;
  readonly keystoneUrl: string;
  /** Directory for the local R2, D1 and Durable Objects. */
  readonly persistTo: string;
  readonly repository: string;
  /** What the edge works with on its own account; null: nothing, it has its callers' tokens only. */
  readonly credential: ApplicationCredential | null;
}

export async function startEdge(processes: Processes, options: EdgeOptions): Promise<void> {
  const settings = [`ORIGIN_URL:${options.originUrl}`, `KEYSTONE_URL:${options.keystoneUrl}`, "AUDIT:1"];
  if (options.credential !== null) {
    settings.push(`OS_APPLICATION_CREDENTIAL_ID:${options.credential.id}`);
    settings.push(`OS_APPLICATION_CREDENTIAL_SECRET:${options.credential.secret}`);
  }
  const server = processes.start({
    name: "edge",
    file: "npm",
    args: [
      ...["start", "--", ...settings.flatMap((setting) => ["--var", setting])],
      ...["--port", String(options.port), "--persist-to", options.persistTo],
      // Cron tasks run when a test asks for them: GET /__scheduled.
      "--test-scheduled",
    ],
    cwd: options.repository,
  });
  await untilAnswers(`http://127.0.0.1:${options.port}/`, server.died, 120);
}
