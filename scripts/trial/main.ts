/**
 * `npm run trial`: an edge and a made-up Glance under a temporary name, on a Cloudflare account or with --local on this
 * machine. Measures what an edge is for, and removes all that it made, also after a failure or Ctrl-C.
 */
import { createHash, randomBytes } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { experimental_readRawConfig } from "wrangler";
import { fillVirtualBytes } from "../../demo/content/virtual-bytes.ts";
import { Cloudflare } from "../deploy/cloudflare.ts";
import { chooseAccount } from "../deploy/deploy.ts";
import { Stop } from "../deploy/stop.ts";
import type { Place } from "../deploy/target.ts";
import { startWrangler, type Wrangler } from "../wrangler.ts";
import { type AccountTools, afterwards, onAccount } from "./account.ts";
import { readTrialFlags, type TrialFlags } from "./flags.ts";
import { SEED } from "./images.ts";
import { locally } from "./local.ts";
import { measure } from "./measure.ts";
import { type Trial, trialNames } from "./plan.ts";
import type { TrialTools } from "./tools.ts";
import { Undo } from "./undo.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const undo = new Undo();
const environment: Record<string, string> = {};
const interruption = Promise.withResolvers<never>();
let interrupted = false;
/** wrangler's commands that make something. */
const making = new Set<Wrangler>();

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    if (interrupted) return;
    interrupted = true;
    console.log("interrupted: what was made is being removed");
    interruption.reject(new Stop("Interrupted."));
  });
}

let failed = false;
try {
  await Promise.race([run(readTrialFlags(process.argv.slice(2))), interruption.promise]);
} catch (error) {
  failed = true;
  console.error(error instanceof Stop ? `npm run trial: ${error.message}` : error);
}
// What wrangler is making now is either made or not before it is removed.
await Promise.all([...making].map((child) => child.stop()));
const isMade = !undo.isEmpty;
const left = await undo.all();
if (left.length > 0) console.error(`npm run trial: not removed: ${left.join("; ")}`);
else if (isMade) console.log("removed all that was made");
process.exit(failed || left.length > 0 ? 1 : 0);

async function run(flags: TrialFlags): Promise<void> {
  const suffix = flags.remove ?? randomBytes(4).toString("hex");
  const { size, slowSeconds } = flags;
  const tokens = { token: randomBytes(16).toString("hex"), metricsToken: randomBytes(16).toString("hex") };
  const trial: Trial = { ...trialNames(suffix), ...tokens, size, slowSeconds, sha512: digestOf(size) };
  const say = (line: string) => console.log(line);
  const tools: TrialTools = {
    trial,
    raw: experimental_readRawConfig({ config: join(ROOT, "wrangler.toml") }).rawConfig,
    undo,
    say,
    writeConfig: async (config) => {
      const file = join(ROOT, `wrangler.${config.name}.json`);
      undo.add(file, () => rm(file, { force: true }));
      await writeFile(file, JSON.stringify(config, null, 2));
      return file;
    },
  };
  if (flags.local) return report(await locally(tools), trial);

  say(
    `all is named ${trial.name}; what a crash would leave goes by: npm run trial -- ${process.argv.slice(2).join(" ")} --remove ${suffix}`,
  );
  const account = await accountTools(tools, flags);
  if (flags.remove !== null) return afterwards(account);
  await report(await onAccount(account), trial);
}

async function accountTools(tools: TrialTools, { location, jurisdiction, waitMs }: TrialFlags): Promise<AccountTools> {
  const place: Place = jurisdiction === null ? { location: location ?? "" } : { jurisdiction };
  const ended = async (child: Wrangler) => ({
    code: await child.ended,
    stdout: child.stdout(),
    output: child.output(),
  });
  const wrangler = async (args: readonly string[]) => {
    if (interrupted) throw new Stop("Interrupted.");
    const child = startWrangler(args, "quiet", environment);
    making.add(child);
    const ran = await ended(child);
    making.delete(child);
    return ran;
  };
  const remover = new Cloudflare((args) => ended(startWrangler(args, "quiet", environment)));
  const cloudflare = new Cloudflare(wrangler);
  const deployTools = {
    directory: ROOT,
    wrangler,
    write: (file: string, text: string) => writeFile(join(ROOT, file), text),
    ask: null,
    say: tools.say,
    resolves: async () => false,
    useAccount: (id: string) => {
      environment.CLOUDFLARE_ACCOUNT_ID = id;
    },
    accountId: process.env.CLOUDFLARE_ACCOUNT_ID,
    clock: { now: Date.now, sleep },
  };
  await chooseAccount(await cloudflare.accounts(), undefined, deployTools);
  return { ...tools, cloudflare, remover, place, waitMs, deployTools };
}

async function report(stage: Parameters<typeof measure>[0], trial: Trial): Promise<void> {
  const broken: string[] = [];
  await measure(stage, trial, ({ what, figure, kept }) => {
    console.log(`${what.padEnd(24)} ${figure}${kept === null ? "" : kept ? "  yes" : "  NO"}`);
    if (kept === false) broken.push(what);
  });
  if (broken.length > 0) throw new Stop(`Not as promised: ${broken.join(", ")}.`);
}

function digestOf(size: number): string {
  const hash = createHash("sha512");
  const piece = new Uint8Array(2 ** 20);
  for (let at = 0; at < size; at += piece.length) {
    fillVirtualBytes(piece, SEED, at);
    hash.update(piece);
  }
  return hash.digest("hex");
}
