/** The steps of a deploy, in their order. Each can be repeated: a run that failed half way is gone on with by the next. */
import { join } from "node:path";
import type { Unstable_Config as Config, Unstable_RawConfig as RawConfig } from "wrangler";
import { Cloudflare, type RunWrangler } from "./cloudflare.ts";
import { configFile, configFor } from "./config.ts";
import { fingerprint } from "./fingerprint.ts";
import type { DeployFlags } from "./flags.ts";
import { askHealth, type Clock, untilHealthy } from "./health.ts";
import { Stop } from "./stop.ts";
import { answered, type Target, targetOf, wanting } from "./target.ts";

export interface DeployTools {
  readonly wrangler: RunWrangler;
  /** The directory of wrangler.toml. */
  readonly directory: string;
  readonly read: () => { readonly config: Config; readonly raw: RawConfig };
  readonly write: (file: string, text: string) => Promise<void>;
  /** Null: nobody can be asked. */
  readonly ask: ((question: string) => Promise<string>) | null;
  readonly say: (line: string) => void;
  /** Whether DNS knows this name. */
  readonly resolves: (host: string) => Promise<boolean>;
  /** Chooses one for the commands that follow. */
  readonly useAccount: (id: string) => void;
  readonly accountId: string | undefined;
  readonly clock: Clock;
}

/** @returns what was deployed. @throws Stop at the first thing that is wrong */
export async function deploy(given: DeployFlags, tools: DeployTools): Promise<Target> {
  const { say, directory } = tools;
  const { config, raw } = tools.read();
  const cloudflare = new Cloudflare(tools.wrangler);

  // 1. What to deploy, where.
  const flags = await complete(config, given, tools);
  const target = targetOf(config, flags);
  const file = configFile(target);
  const configFlags = ["--config", join(directory, file), "--env", flags.env];
  const writeConfig = async (databaseId: string | null) => {
    const text = `${JSON.stringify(configFor(raw, flags.env, { target, route: flags.route, databaseId }), null, 2)}\n`;
    await tools.write(file, text);
    return text;
  };

  // 2. Code that does not build is not worth a bucket.
  await writeConfig(null);
  const built = join(directory, "dist", target.name);
  await cloudflare.build(configFlags, built);
  say("built");

  // 3. The account, and nobody else's name.
  await chooseAccount(await cloudflare.accounts(), config.account_id, tools);
  if (!flags.replaceDns) await refuseTakenNames(target, tools);

  // 4. What the Worker is bound to. A bucket of a jurisdiction is another one than that of the same name elsewhere.
  await ensure(tools, `bucket ${target.bucket}`, {
    find: () => cloudflare.bucket(target.bucket, target.place),
    make: () => cloudflare.makeBucket(target.bucket, target.place),
  });
  const database = await ensure(tools, `database ${target.database}`, {
    find: () => cloudflare.database(target.database),
    make: () => cloudflare.makeDatabase(target.database, target.place),
  });
  refuseOtherJurisdiction(target, database.jurisdiction);
  for (const queue of target.queues) {
    await ensure(tools, `queue ${queue}`, {
      find: async () => ((await cloudflare.hasQueue(queue)) ? queue : null),
      make: () => cloudflare.makeQueue(queue),
    });
  }

  // 5. The tables before the code that reads them.
  const text = await writeConfig(database.uuid);
  await cloudflare.migrate(configFlags);
  say("migrations applied");

  // 6. The code, unless it is what runs.
  const assets = config.assets?.directory;
  const tag = await fingerprint([built, ...(assets === undefined ? [] : [join(directory, assets)])], text);
  const same = (await cloudflare.deployedTag(target.name)) === tag;
  const said = same ? await cloudflare.setTriggers(configFlags) : await cloudflare.deploy(configFlags, tag);
  say(same ? `Worker ${target.name}: runs this version already` : `Worker ${target.name}: deployed`);

  // 7. Does it work?
  const url = target.url ?? /https:\/\/\S+\.workers\.dev/.exec(said)?.[0] ?? null;
  if (url === null) throw new Stop("The edge is deployed, but wrangler did not say where: look in the dashboard.");
  const wrong = await untilHealthy(url, flags.waitMs, tools.clock);
  if (wrong.length > 0) throw new Stop(`The edge is deployed and answers on ${url}, but ${wrong.join("; ")}.`);
  say(`healthy: ${url}`);
  return { ...target, url };
}

/** Asks for what is wanting. @throws Stop where nobody can be asked */
async function complete(config: Config, given: DeployFlags, { ask, say }: DeployTools): Promise<DeployFlags> {
  let flags = given;
  const missing = wanting(config, given);
  for (const { name, question, sentence } of missing) {
    const answer = (await ask?.(question))?.trim() ?? "";
    if (answer === "") throw new Stop(sentence);
    flags = answered(flags, name, answer);
  }
  if (missing.length > 0)
    say(`asked each time, until it is in ${given.config}: ${missing.map(({ name }) => name).join(", ")}`);
  return flags;
}

/** For the commands that follow. @param configured what wrangler.toml names */
export async function chooseAccount(
  accounts: readonly { readonly id: string; readonly name: string }[],
  configured: string | undefined,
  { ask, accountId, useAccount }: Pick<DeployTools, "ask" | "accountId" | "useAccount">,
): Promise<void> {
  if (accountId !== undefined || configured !== undefined) return;
  const [account, ...others] = accounts;
  if (account === undefined)
    throw new Stop("This log-in has no Cloudflare account: set CLOUDFLARE_ACCOUNT_ID if it may not list them.");
  if (others.length === 0) return useAccount(account.id);
  const list = accounts.map(({ id, name }) => `${name} (${id})`).join(", ");
  const answer = (await ask?.(`Which account's id? ${list}: `))?.trim();
  if (!accounts.some(({ id }) => id === answer))
    throw new Stop(`Set CLOUDFLARE_ACCOUNT_ID, there are several accounts: ${list}.`);
  useAccount(answer ?? "");
}

/** Without a terminal wrangler replaces whatever DNS record a custom domain has: it may be Glance's own. */
async function refuseTakenNames({ customDomains }: Target, { resolves }: DeployTools): Promise<void> {
  for (const host of customDomains) {
    if (!(await resolves(host)) || typeof (await askHealth(`https://${host}`)) !== "string") continue;
    throw new Stop(
      `${host} has a DNS record already, and no edge answers there: choose another name, or give --replace-dns to replace the record.`,
    );
  }
}

/** @param has undefined: Cloudflare does not say */
function refuseOtherJurisdiction({ database, place }: Target, has: string | null | undefined): void {
  const wanted = "jurisdiction" in place ? place.jurisdiction : null;
  if (has === undefined || has === wanted) return;
  throw new Stop(
    `The database ${database} is there, in ${has === null ? "no jurisdiction" : `jurisdiction ${has}`}, and can't be moved to ` +
      `${wanted ?? "none"}: set JURISDICTION to what it was, or choose another name for bucket and database.`,
  );
}

/** Looks, makes what is not there, and looks again. */
async function ensure<T>(
  { say }: DeployTools,
  what: string,
  { find, make }: { readonly find: () => Promise<T | null>; readonly make: () => Promise<void> },
): Promise<T> {
  const there = await find();
  if (there !== null) {
    say(`${what}: there`);
    return there;
  }
  await make();
  const made = await find();
  if (made === null) throw new Stop(`The ${what} was made, but is not to be seen yet: run this again in a minute.`);
  say(`${what}: made`);
  return made;
}
