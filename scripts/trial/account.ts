/** A trial on a Cloudflare account: what it makes there, each with how it is removed. */
import { setTimeout as sleep } from "node:timers/promises";
import { unstable_readConfig } from "wrangler";
import type { Cloudflare } from "../deploy/cloudflare.ts";
import { type DeployTools, deploy } from "../deploy/deploy.ts";
import { Stop } from "../deploy/stop.ts";
import type { Place } from "../deploy/target.ts";
import type { Stage } from "./measure.ts";
import { edgeConfig, originConfig } from "./plan.ts";
import type { TrialTools } from "./tools.ts";

const EMPTY_MS = 60_000;

export interface AccountTools extends TrialTools {
  readonly cloudflare: Cloudflare;
  /** The same account; goes on where the trial was interrupted. */
  readonly remover: Cloudflare;
  readonly place: Place;
  readonly waitMs: number;
  readonly deployTools: Omit<DeployTools, "read">;
}

export async function onAccount(tools: AccountTools): Promise<Stage> {
  const { trial, raw, undo, cloudflare, remover, place, say } = tools;
  // Removed from the last to the first: nothing writes into a bucket that is being emptied.
  undo.add(`bucket ${trial.name}`, () => remover.removeBucket(trial.name, place));
  await cloudflare.makeBucket(trial.name, place);
  const origin = await deployOrigin(tools);
  undo.add(`database ${trial.name}`, () => remover.removeDatabase(trial.name));
  undo.add(`Worker ${trial.name}`, () => remover.removeWorker(trial.name));

  const vars: Record<string, string> =
    "location" in place ? { LOCATION: place.location } : { JURISDICTION: place.jurisdiction };
  const edge = edgeConfig(raw, trial, { ...vars, ORIGIN_URL: origin });
  const file = await tools.writeConfig(edge);
  const config = unstable_readConfig({ config: file }, { hideWarnings: true });
  const flags = { env: "", config: file, route: null, vars: {}, replaceDns: false, waitMs: tools.waitMs };
  const { url } = await deploy(flags, { ...tools.deployTools, read: () => ({ config, raw: edge }) });
  if (url === null) throw new Stop("wrangler did not say where the edge is.");
  say(`edge: ${url}`);
  return {
    url,
    cpuMs: async () => null,
    // Another version, though of the same code.
    replace: async () => {
      await cloudflare.deploy(["--config", file, "--env", ""], "again");
    },
  };
}

/** Removes what an earlier trial has left. */
export async function afterwards(tools: AccountTools): Promise<void> {
  const { trial, undo, cloudflare, remover, place } = tools;
  undo.add(`bucket ${trial.name}`, () => remover.removeBucket(trial.name, place));
  // Only a Worker can empty the bucket; where there is no bucket there is nothing to empty.
  if ((await cloudflare.bucket(trial.name, place)) !== null) await deployOrigin(tools);
  else undo.add(`Worker ${trial.originName}`, () => remover.removeWorker(trial.originName));
  undo.add(`database ${trial.name}`, () => remover.removeDatabase(trial.name));
  undo.add(`Worker ${trial.name}`, () => remover.removeWorker(trial.name));
}

/** @returns its URL */
async function deployOrigin({
  trial,
  raw,
  undo,
  cloudflare,
  remover,
  place,
  writeConfig,
  say,
}: AccountTools): Promise<string> {
  const jurisdiction = "jurisdiction" in place ? place.jurisdiction : undefined;
  const file = await writeConfig(originConfig(raw, trial, jurisdiction));
  undo.add(`Worker ${trial.originName}`, () => remover.removeWorker(trial.originName));
  const said = await cloudflare.deploy(["--config", file], "trial");
  const url = /https:\/\/\S+\.workers\.dev/.exec(said)?.[0];
  if (url === undefined)
    throw new Stop("wrangler did not say where the made-up Glance is: has the account a workers.dev name?");
  say(`made-up Glance: ${url}`);
  undo.add(`what is in the bucket ${trial.name}`, () => empty(url, trial.token));
  return url;
}

async function empty(url: string, token: string): Promise<void> {
  for (const deadline = Date.now() + EMPTY_MS; ; await sleep(2000)) {
    try {
      const response = await fetch(`${url}/trial/empty`, { method: "POST", headers: { "x-auth-token": token } });
      if (response.ok) return;
      if (Date.now() > deadline) throw new Stop(`status ${response.status}`);
    } catch (error) {
      // A name that does not resolve was never up: nothing was stored.
      if (error instanceof TypeError && (error.cause as { code?: string } | undefined)?.code === "ENOTFOUND") return;
      if (Date.now() > deadline) throw error;
    }
  }
}
