/** The doctor in this process, with variables of its own. */
import { readFile } from "node:fs/promises";
import { examine } from "../../scripts/doctor/examine.ts";
import type { Finding } from "../../scripts/doctor/finding.ts";
import { readOptions } from "../../scripts/doctor/options.ts";

/** The demo origin's administrator, as an openrc file names one. */
export function openrc(origin: string): Record<string, string> {
  return {
    OS_AUTH_URL: `${origin}/v3`,
    OS_USERNAME: "admin",
    OS_PASSWORD: "admin",
    OS_USER_DOMAIN_NAME: "Default",
    OS_PROJECT_NAME: "admin",
    OS_PROJECT_DOMAIN_NAME: "Default",
  };
}

export async function doctor(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  novaConf: string | null = null,
): Promise<Finding[]> {
  return examine(readOptions(args, env, await readFile("wrangler.toml", "utf8")), novaConf);
}

/** What it says of the thing that these words name. @throws when it says nothing */
export function about(findings: readonly Finding[], words: string): Finding {
  const found = findings.find(({ what }) => what.includes(words));
  if (found === undefined) throw new Error(`nothing is said about ${words}: ${findings.map(({ what }) => what)}`);
  return found;
}

/** Those with a NO. */
export function bad(findings: readonly Finding[]): string[] {
  return findings.filter(({ verdict }) => verdict === "NO").map(({ what }) => what);
}
