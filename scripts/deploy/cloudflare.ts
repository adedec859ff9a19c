/** The account, by wrangler's commands: each is looked at first, so that what is there already is left as it is. */
import { hasCode, sentenceOf } from "./sentence.ts";
import { Stop } from "./stop.ts";
import type { Place } from "./target.ts";

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  /** With errors and warnings. */
  readonly output: string;
}

export type RunWrangler = (args: readonly string[]) => Promise<Ran>;

export interface Database {
  readonly uuid: string;
  readonly name: string;
  readonly jurisdiction?: string | null;
}

interface Account {
  readonly id: string;
  readonly name: string;
}

/** "The specified bucket does not exist". */
const NO_BUCKET = 10006;
/** "This Worker does not exist on your account", and what else wrangler takes for it. */
const NO_WORKER = [10007, 10090, 10092];
/** "The bucket you tried to create already exists": made by a run beside this one. */
const BUCKET_EXISTS = 10004;

export class Cloudflare {
  readonly #run: RunWrangler;

  constructor(run: RunWrangler) {
    this.#run = run;
  }

  /** @throws Stop when nobody is logged in */
  async accounts(): Promise<Account[]> {
    const ran = await this.#run(["whoami", "--json"]);
    const told = parse<{ loggedIn: boolean; accounts?: Account[] }>(ran.stdout);
    if (told?.loggedIn === false) {
      throw new Stop("Nobody is logged in at Cloudflare: run `npx wrangler login`, or set CLOUDFLARE_API_TOKEN.");
    }
    if (told === null || ran.code !== 0) throw new Stop(sentenceOf("asking who is logged in", ran.output));
    return told.accounts ?? [];
  }

  /** @returns where it is; null: there is none */
  async bucket(name: string, place: Place): Promise<{ readonly location: string } | null> {
    const ran = await this.#run(["r2", "bucket", "info", name, "--json", ...jurisdictionFlag(place)]);
    if (ran.code === 0) return { location: parse<{ location?: string }>(ran.stdout)?.location ?? "" };
    if (hasCode(ran.output, [NO_BUCKET])) return null;
    // Found: what failed is the count of its objects, which a token may not be allowed to read.
    if (ran.output.includes("/graphql")) return { location: "" };
    throw new Stop(sentenceOf(`looking for the bucket ${name}`, ran.output));
  }

  async makeBucket(name: string, place: Place): Promise<void> {
    const ran = await this.#run(["r2", "bucket", "create", name, ...placeFlags(place)]);
    if (ran.code !== 0 && !hasCode(ran.output, [BUCKET_EXISTS])) {
      throw new Stop(sentenceOf(`making the bucket ${name}`, ran.output));
    }
  }

  async database(name: string): Promise<Database | null> {
    const ran = await this.#run(["d1", "list", "--json"]);
    const databases = ran.code === 0 ? parse<Database[]>(ran.stdout) : null;
    if (databases === null) throw new Stop(sentenceOf("listing the databases", ran.output));
    return databases.find((one) => one.name === name) ?? null;
  }

  async makeDatabase(name: string, place: Place): Promise<void> {
    await this.#must(`making the database ${name}`, ["d1", "create", name, ...placeFlags(place)]);
  }

  async hasQueue(name: string): Promise<boolean> {
    const ran = await this.#run(["queues", "info", name]);
    if (ran.code === 0) return true;
    if (/does not exist/i.test(ran.output)) return false;
    throw new Stop(sentenceOf(`looking for the queue ${name}`, ran.output));
  }

  async makeQueue(name: string): Promise<void> {
    await this.#must(`making the queue ${name}`, ["queues", "create", name]);
  }

  /** @param config flags that name it */
  async build(config: readonly string[], directory: string): Promise<void> {
    await this.#must("building", ["deploy", "--dry-run", "--outdir", directory, ...config]);
  }

  async migrate(config: readonly string[]): Promise<void> {
    await this.#must("applying the migrations", ["d1", "migrations", "apply", "CATALOG", "--remote", ...config]);
  }

  /** @returns the tag of the version that gets all requests; null: none does, or it has none */
  async deployedTag(name: string): Promise<string | null> {
    const ran = await this.#run(["deployments", "status", "--json", "--name", name]);
    if (ran.code !== 0) {
      if (hasCode(ran.output, NO_WORKER) || /no deployments|has not been deployed/i.test(ran.output)) return null;
      throw new Stop(sentenceOf(`looking for the Worker ${name}`, ran.output));
    }
    const [version, ...others] = parse<{ versions: { version_id: string }[] }>(ran.stdout)?.versions ?? [];
    if (version === undefined || others.length > 0) return null;
    const view = await this.#must("looking at the deployed version", [
      ...["versions", "view", version.version_id, "--json", "--name", name],
    ]);
    return parse<{ annotations?: Record<string, string> }>(view.stdout)?.annotations?.["workers/tag"] ?? null;
  }

  /** @returns what wrangler said */
  async deploy(config: readonly string[], tag: string): Promise<string> {
    return (await this.#must("deploying", ["deploy", "--tag", tag, ...config])).stdout;
  }

  /** Names, crons and queues' consumers, without new code. @returns what wrangler said */
  async setTriggers(config: readonly string[]): Promise<string> {
    return (await this.#must("setting routes and crons", ["triggers", "deploy", ...config])).stdout;
  }

  async removeWorker(name: string): Promise<void> {
    await this.#remove(`the Worker ${name}`, ["delete", name, "--force"]);
  }

  /** It must be empty. */
  async removeBucket(name: string, place: Place): Promise<void> {
    await this.#remove(`the bucket ${name}`, ["r2", "bucket", "delete", name, ...jurisdictionFlag(place)]);
  }

  async removeDatabase(name: string): Promise<void> {
    if ((await this.database(name)) !== null)
      await this.#remove(`the database ${name}`, ["d1", "delete", name, "--skip-confirmation"]);
  }

  /** What is not there is removed. */
  async #remove(what: string, args: readonly string[]): Promise<void> {
    const ran = await this.#run(args);
    if (ran.code !== 0 && !hasCode(ran.output, [NO_BUCKET, ...NO_WORKER]))
      throw new Stop(sentenceOf(`removing ${what}`, ran.output));
  }

  async #must(doing: string, args: readonly string[]): Promise<Ran> {
    const ran = await this.#run(args);
    if (ran.code !== 0) throw new Stop(sentenceOf(doing, ran.output));
    return ran;
  }
}

function placeFlags(place: Place): string[] {
  return "jurisdiction" in place ? jurisdictionFlag(place) : ["--location", place.location];
}

function jurisdictionFlag(place: Place): string[] {
  return "jurisdiction" in place ? ["--jurisdiction", place.jurisdiction] : [];
}

/** wrangler may say something before its JSON. @returns null for what is none */
function parse<T>(text: string): T | null {
  try {
    return JSON.parse(text.slice(Math.max(0, text.search(/^[[{]/m)))) as T;
  } catch {
    return null;
  }
}
