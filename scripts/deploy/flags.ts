/** What is said to `npm run deploy` on its command line, or by environment variables of the settings' own names. */
import { parseArgs } from "node:util";
import { orStop, Stop } from "./stop.ts";

export interface DeployFlags {
  /** Of wrangler.toml; "": the top of the file. */
  readonly env: string;
  readonly config: string;
  /** Host under which clients reach the edge; null: as in wrangler.toml. */
  readonly route: string | null;
  /** Settings over those of wrangler.toml. */
  readonly vars: Readonly<Record<string, string>>;
  /** Whether a DNS record that is there may be replaced. */
  readonly replaceDns: boolean;
  /** How long the edge may take until it answers, ms. */
  readonly waitMs: number;
}

/** Settings that may come from the environment. */
const FROM_ENVIRONMENT = ["ORIGIN_URL", "PUBLIC_URL", "KEYSTONE_URL", "LOCATION", "JURISDICTION"];

/** The certificate of a new name takes minutes. */
const WAIT_SECONDS = "600";

/** @throws Stop that says which flag is wrong */
export function readDeployFlags(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): DeployFlags {
  const { values } = parse(args);
  const vars: Record<string, string> = {};
  for (const name of FROM_ENVIRONMENT) {
    const value = environment[name];
    if (value !== undefined && value !== "") vars[name] = value;
  }
  for (const text of values.var ?? []) {
    const colon = text.indexOf(":");
    if (colon < 1) throw new Stop(`--var ${text} must be NAME:VALUE.`);
    vars[text.slice(0, colon)] = text.slice(colon + 1);
  }
  // A place on the command line is in the stead of the environment's, whichever of the two it is.
  if (values.location !== undefined || values.jurisdiction !== undefined) {
    delete vars.LOCATION;
    delete vars.JURISDICTION;
  }
  if (values.location !== undefined) vars.LOCATION = values.location;
  if (values.jurisdiction !== undefined) vars.JURISDICTION = values.jurisdiction;
  const seconds = values.wait ?? WAIT_SECONDS;
  if (!/^\d+$/.test(seconds)) throw new Stop(`--wait ${seconds} must be seconds.`);
  return {
    env: values.env ?? "",
    config: values.config ?? "wrangler.toml",
    route: values.route ?? null,
    vars,
    replaceDns: values["replace-dns"] ?? false,
    waitMs: Number(seconds) * 1000,
  };
}

function parse(args: readonly string[]) {
  return orStop(() =>
    parseArgs({
      args: [...args],
      options: {
        env: { type: "string", short: "e" },
        config: { type: "string", short: "c" },
        route: { type: "string" },
        location: { type: "string" },
        jurisdiction: { type: "string" },
        var: { type: "string", multiple: true },
        "replace-dns": { type: "boolean" },
        wait: { type: "string" },
      },
    }),
  );
}
