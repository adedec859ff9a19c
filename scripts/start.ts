/**
 * `npm start`: the edge on this machine, with a demo origin behind it unless `--var ORIGIN_URL:...` names another. Prints
 * a line that begins with "ready" when requests are answered. All flags go to `wrangler dev`. Ends with all it started.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { CONTROL_PORT, type DemoOrigin, ORIGIN_PORT, startDemoOrigin } from "../demo/origin.ts";
import { LARGE_IMAGE } from "../demo/seeds.ts";
import { freePort, isFree } from "./ports.ts";
import { readStartFlags, type StartFlags } from "./start-flags.ts";
import { startWrangler, type Wrangler } from "./wrangler.ts";

/** How long the first build and start may take. */
const READY_MS = 120_000;
const POLL_MS = 200;
/** How often to look whether npm is still there. */
const PARENT_POLL_MS = 500;

const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

let origin: DemoOrigin | null = null;
let running: Wrangler | null = null;
let ending = false;

for (const [signal, code] of Object.entries(SIGNALS)) process.on(signal, () => void end(code));

// npm hands signals to the shell between it and us, which dies without handing them on.
if (process.env.npm_lifecycle_event !== undefined) {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) void end(SIGNALS.SIGTERM);
  }, PARENT_POLL_MS).unref();
}

try {
  await end(await main(readStartFlags(process.argv.slice(2))));
} catch (error) {
  console.error("npm start:", error instanceof Error ? error.message : error);
  await end(1);
}

/** @returns the exit code */
async function main(flags: StartFlags): Promise<number> {
  // 1. A taken port would show only after the build, as a long error of workerd's; a wrong address never.
  if (!(await isFree(flags.ip, flags.port).catch((cause: unknown) => refuseAddress(flags.ip, cause)))) {
    throw new Error(`port ${flags.port} is taken: name another one, \`npm start -- --port ${flags.port + 1}\``);
  }

  // 2. The origin. Its Keystone's catalogue names the edge, as an operator's would.
  // The local runtime knows no jurisdictions.
  const vars = ["--var", "JURISDICTION:"];
  if (flags.originUrl === null) {
    const port = await freePort(ORIGIN_PORT, flags.port);
    const controlPort = await freePort(CONTROL_PORT, flags.port);
    origin = await startDemoOrigin({ port, controlPort, seed: true, imageEndpoint: flags.url });
    vars.push("--var", `ORIGIN_URL:${origin.url}`);
    if (!flags.hasKeystone) vars.push("--var", `KEYSTONE_URL:${origin.url}/v3`);
  }

  // 3. The catalog's tables.
  const migrate = ["d1", "migrations", "apply", "CATALOG", "--local", ...flags.shared];
  if (ending) return 0;
  running = startWrangler(migrate, "quiet");
  const migrated = await running.ended;
  if (migrated !== 0) {
    console.error(running.output());
    throw new Error("the D1 migrations could not be applied; wrangler's words are above");
  }

  // 4. The edge.
  if (ending) return 0;
  const dev = startWrangler(["dev", ...flags.defaults, ...vars, ...flags.given], "shown");
  running = dev;
  void dev.ended.then((code) => end(code));
  await untilAnswers(`${flags.url}/versions`);
  if (!ending) console.log(greeting(flags.url, origin));
  return dev.ended;
}

function refuseAddress(ip: string, cause: unknown): never {
  const code = cause instanceof Error && "code" in cause ? cause.code : cause;
  throw new Error(`--ip ${ip} is no address of this machine (${code})`, { cause });
}

async function untilAnswers(url: string): Promise<void> {
  for (const deadline = performance.now() + READY_MS; !ending; await sleep(POLL_MS)) {
    try {
      // Any answer will do: an origin that is down must not keep the edge from being looked at.
      await (await fetch(url, { signal: AbortSignal.timeout(5000) })).arrayBuffer();
      return;
    } catch (cause) {
      if (performance.now() > deadline) throw new Error(`the edge did not answer on ${url}`, { cause });
    }
  }
}

function greeting(edgeUrl: string, demo: DemoOrigin | null): string {
  if (demo === null) return `\nready: the edge is on ${edgeUrl}, its page on ${edgeUrl}/edge/`;
  const curl = `curl -sS -o /dev/null -D - -H 'X-Auth-Token: demo' '${edgeUrl}/v2/images/${LARGE_IMAGE.id}/file'`;
  return `
ready: the edge is on ${edgeUrl}, the demo origin on ${demo.url}

  # The page, for administrators. Application credential: admin-credential, secret: admin-secret. Or the token: admin
  ${edgeUrl}/edge/

  # A first download comes from the origin and is stored on the way (Cache-Status says so):
  ${curl}
  # A moment later the same one is a hit:
  ${curl}
  # What the origin was asked: a hit costs it one record and one refused range.
  curl -sS ${demo.controlUrl}/_demo/requests
`;
}

async function end(code: number): Promise<void> {
  if (ending) return;
  ending = true;
  await running?.stop();
  await origin?.close();
  process.exit(code);
}
