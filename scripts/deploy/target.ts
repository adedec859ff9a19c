/** What is to be deployed, as wrangler.toml and the flags say: names, place and address. Pure. */
import type { Unstable_Config as Config } from "wrangler";
import type { DeployFlags } from "./flags.ts";
import { Stop } from "./stop.ts";

export interface Target {
  readonly name: string;
  readonly bucket: string;
  readonly database: string;
  readonly queues: readonly string[];
  readonly place: Place;
  readonly vars: Readonly<Record<string, string>>;
  /** Names that a DNS record will be made for. */
  readonly customDomains: readonly string[];
  /** Where clients reach it, without a trailing slash; null: workers.dev, which only wrangler can tell. */
  readonly url: string | null;
}

export type Place = { readonly location: string } | { readonly jurisdiction: string };

/** What R2, D1 and Durable Objects all know, as src/settings.ts has it. */
const LOCATIONS = ["weur", "eeur", "apac", "oc", "wnam", "enam"];
const JURISDICTIONS = ["eu", "fedramp"];

/** A setting that nobody can guess, and how to ask for it. */
export interface Wanting {
  readonly name: "ORIGIN_URL" | "ROUTE" | "WHERE";
  readonly question: string;
  /** Said where nobody can be asked. */
  readonly sentence: string;
}

/** What is still to be asked for, most important first. */
export function wanting(config: Config, flags: DeployFlags): Wanting[] {
  const vars = varsOf(config, flags);
  const asked: Wanting[] = [];
  if (!vars.LOCATION && !vars.JURISDICTION) {
    asked.push({
      name: "WHERE",
      question: `Where are the machines that boot? A hint (${LOCATIONS.join(", ")}) or a jurisdiction (${JURISDICTIONS.join(", ")}): `,
      sentence:
        `Nothing says where images are to be stored: give --location (${LOCATIONS.join(", ")}) ` +
        `or --jurisdiction (${JURISDICTIONS.join(", ")}), or set LOCATION or JURISDICTION in ${flags.config}.`,
    });
  }
  if (!vars.ORIGIN_URL) {
    asked.push({
      name: "ORIGIN_URL",
      question: "The URL of Glance, behind the edge (https://cloud.example/image): ",
      sentence: `ORIGIN_URL is not set: it must be the URL of Glance; set it in ${flags.config} or give --var ORIGIN_URL:URL.`,
    });
  }
  if (flags.route === null && (config.routes ?? []).length === 0 && config.route === undefined && !config.workers_dev) {
    asked.push({
      name: "ROUTE",
      question: "Under which name shall clients reach the edge, in a zone of this account (image.example.com)? ",
      sentence: `No route leads to the edge: give --route image.example.com, a name in a zone of your account, or set routes in ${flags.config}.`,
    });
  }
  return asked;
}

/** The flags with one answer more. */
export function answered(flags: DeployFlags, name: Wanting["name"], answer: string): DeployFlags {
  if (name === "ROUTE") return { ...flags, route: answer };
  const setting = name !== "WHERE" ? name : JURISDICTIONS.includes(answer) ? "JURISDICTION" : "LOCATION";
  return { ...flags, vars: { ...flags.vars, [setting]: answer } };
}

/** @throws Stop for what is wrong */
export function targetOf(config: Config, flags: DeployFlags): Target {
  const name = config.name ?? stop(`${flags.config} has no name for the Worker.`);
  const vars = varsOf(config, flags);
  const routes = (config.routes ?? []).concat(config.route ?? []);
  const customDomains =
    flags.route !== null
      ? [flags.route]
      : routes.flatMap((route) =>
          typeof route === "object" && "custom_domain" in route && route.custom_domain ? [route.pattern] : [],
        );
  const [first] =
    flags.route !== null ? [flags.route] : routes.map((route) => (typeof route === "string" ? route : route.pattern));
  const host = first?.replace(/^\w+:\/\//, "").replace(/\/.*/, "");
  checkUrl("ORIGIN_URL", vars.ORIGIN_URL);
  checkUrl("PUBLIC_URL", vars.PUBLIC_URL);
  if (host !== undefined && !/^[\w*-]+(\.[\w-]+)+$/.test(host))
    throw new Stop(`${host} is no name that a route can have.`);
  if (host !== undefined && URL.parse(vars.ORIGIN_URL ?? "")?.hostname === host) {
    throw new Stop(`ORIGIN_URL and the route are both ${host}: the edge would ask itself; give Glance another name.`);
  }
  return {
    name,
    bucket: only(config.r2_buckets, "BUCKET", flags).bucket_name ?? name,
    database: only(config.d1_databases, "CATALOG", flags).database_name ?? name,
    queues: [
      ...new Set([
        ...(config.queues.producers ?? []).flatMap(({ queue }) => queue ?? []),
        ...(config.queues.consumers ?? []).flatMap(({ queue, dead_letter_queue: dead }) => [
          queue,
          ...(dead === undefined ? [] : [dead]),
        ]),
      ]),
    ],
    place: placeOf(vars),
    vars,
    customDomains,
    url: (vars.PUBLIC_URL || (host === undefined ? "" : `https://${host}`)).replace(/\/+$/, "") || null,
  };
}

function varsOf(config: Config, flags: DeployFlags): Record<string, string> {
  const set = Object.entries(config.vars).map(([name, value]) => [name, String(value).trim()] as const);
  const vars = { ...Object.fromEntries(set), ...flags.vars };
  // A flag is stronger than the file, also where it names the other one of the two.
  if (flags.vars.LOCATION && !flags.vars.JURISDICTION) vars.JURISDICTION = "";
  if (flags.vars.JURISDICTION && !flags.vars.LOCATION) vars.LOCATION = "";
  return vars;
}

function placeOf({ LOCATION: location = "", JURISDICTION: jurisdiction = "" }: Record<string, string>): Place {
  if (location !== "" && jurisdiction !== "")
    throw new Stop("Name one, LOCATION or JURISDICTION: a jurisdiction decides alone.");
  if (jurisdiction !== "") {
    if (JURISDICTIONS.includes(jurisdiction)) return { jurisdiction };
    throw new Stop(`JURISDICTION ${jurisdiction} must be one of ${JURISDICTIONS.join(", ")}.`);
  }
  if (LOCATIONS.includes(location)) return { location };
  throw new Stop(`LOCATION ${location} must be one of ${LOCATIONS.join(", ")}.`);
}

function checkUrl(name: string, value: string | undefined): void {
  if (!value) return;
  const url = URL.parse(value);
  if (url === null || !["http:", "https:"].includes(url.protocol)) throw new Stop(`${name} is not a URL: ${value}.`);
}

function only<T extends { readonly binding: string }>(bindings: readonly T[], name: string, flags: DeployFlags): T {
  return (
    bindings.find(({ binding }) => binding === name) ??
    stop(`${flags.config} does not bind ${name}${flags.env && ` for ${flags.env}`}.`)
  );
}

function stop(sentence: string): never {
  throw new Stop(sentence);
}
