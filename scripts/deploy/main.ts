/** `npm run deploy`: from a Cloudflare account to an edge that answers. docs/deploy.md tells how. */
import { lookup } from "node:dns/promises";
import { writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { experimental_readRawConfig, unstable_readConfig } from "wrangler";
import { startWrangler } from "../wrangler.ts";
import { deploy } from "./deploy.ts";
import { readDeployFlags } from "./flags.ts";
import { Stop } from "./stop.ts";

const environment: Record<string, string> = {};

try {
  const flags = readDeployFlags(process.argv.slice(2), process.env);
  const path = resolve(flags.config);
  const directory = dirname(path);
  await deploy(flags, {
    directory,
    wrangler: async (args) => {
      const running = startWrangler(args, "quiet", environment);
      return { code: await running.ended, stdout: running.stdout(), output: running.output() };
    },
    read: () => ({
      config: unstable_readConfig({ config: path, env: flags.env }, { hideWarnings: true }),
      raw: experimental_readRawConfig({ config: path }).rawConfig,
    }),
    write: (file, text) => writeFile(join(directory, file), text),
    ask: process.stdin.isTTY && process.stdout.isTTY ? ask : null,
    say: (line) => console.log(line),
    resolves: (host) =>
      lookup(host).then(
        () => true,
        () => false,
      ),
    useAccount: (id) => {
      environment.CLOUDFLARE_ACCOUNT_ID = id;
    },
    accountId: process.env.CLOUDFLARE_ACCOUNT_ID,
    clock: { now: Date.now, sleep },
  });
} catch (error) {
  console.error(error instanceof Stop ? `npm run deploy: ${error.message}` : error);
  process.exitCode = 1;
}

async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return await terminal.question(question);
  } finally {
    terminal.close();
  }
}
