/** The command line and the OS_* variables. Pure. */
import { parseArgs } from "node:util";
import { readBytes } from "./units.ts";

export const USAGE = `usage: npm run doctor -- [EDGE_URL] [options]

  EDGE_URL               the edge, for example https://image.example.com; without it only Glance is looked at
  --glance URL           Glance itself; otherwise the image endpoint of the catalogue that is not the edge
  --image ID             the image to download; otherwise the smallest active one with a hash
  --cap BYTES            CACHE_MAX_BYTES, for example 100GiB; otherwise that of wrangler.toml
  --image-max BYTES      IMAGE_MAX_BYTES; the same
  --nova-conf FILE       nova.conf of a compute node
  --origin-mbit NUMBER   bandwidth of the origin's line, Mbit/s
  --site-mbit NUMBER     bandwidth of the line of the site where the machines are, Mbit/s

OS_AUTH_URL with OS_USERNAME and OS_PASSWORD, or with an application credential, or OS_TOKEN say who asks.
`;

/** How Keystone is asked for a token: the part of its request below `auth`. */
type LogIn = Readonly<Record<string, unknown>>;

export interface Account {
  /** Keystone's v3 base URL; null: it is not given. */
  readonly keystone: string | null;
  /** A token, or what gives one; null: nothing is given. */
  readonly token: string | null;
  readonly logIn: LogIn | null;
  readonly region: string | null;
}

export interface Options {
  readonly edge: string | null;
  readonly glance: string | null;
  readonly image: string | null;
  readonly cap: number;
  readonly imageMax: number;
  readonly novaConf: string | null;
  readonly originMbit: number | null;
  readonly siteMbit: number | null;
  readonly account: Account;
}

export class UsageError extends Error {
  override readonly name = "UsageError";
}

type Variables = Readonly<Record<string, string | undefined>>;

/** @param settings text of wrangler.toml @throws UsageError */
export function readOptions(args: readonly string[], env: Variables, settings: string): Options {
  const text = { type: "string" } as const;
  const options = {
    glance: text,
    image: text,
    cap: text,
    "image-max": text,
    "nova-conf": text,
    "origin-mbit": text,
    "site-mbit": text,
  };
  const { values, positionals } = parse(args, options);
  if (positionals.length > 1) throw new UsageError("one edge at a time");
  const edge = positionals[0];
  return {
    edge: edge === undefined ? null : readBase("EDGE_URL", edge),
    glance: values.glance === undefined ? null : readBase("--glance", values.glance),
    image: values.image ?? null,
    cap: readAmount("--cap", values.cap ?? settingOf(settings, "CACHE_MAX_BYTES")),
    imageMax: readAmount("--image-max", values["image-max"] ?? settingOf(settings, "IMAGE_MAX_BYTES")),
    novaConf: values["nova-conf"] ?? null,
    originMbit: readNumber("--origin-mbit", values["origin-mbit"]),
    siteMbit: readNumber("--site-mbit", values["site-mbit"]),
    account: readAccount(env),
  };
}

function parse<O extends Readonly<Record<string, { type: "string" }>>>(args: readonly string[], options: O) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause));
  }
}

/** A value of `[vars]`. */
function settingOf(settings: string, name: string): string {
  return new RegExp(`^${name} = "?(\\d+)`, "m").exec(settings)?.[1] ?? "";
}

/** Glance's base URL or the edge's; a version at its end is taken off. */
function readBase(name: string, value: string): string {
  const url = URL.canParse(value) ? new URL(value) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) throw new UsageError(`${name} is no URL: ${value}`);
  return baseOf(value);
}

export function baseOf(url: string): string {
  const { origin, pathname } = new URL(url);
  return (
    origin +
    pathname
      .replace(/\/+$/, "")
      .replace(/\/v[12](\.\d+)?$/, "")
      .replace(/\/+$/, "")
  );
}

function readAmount(name: string, value: string): number {
  const bytes = readBytes(value);
  if (bytes === null) throw new UsageError(`${name} is no number of bytes: ${value}`);
  return bytes;
}

function readNumber(name: string, value: string | undefined): number | null {
  if (value === undefined) return null;
  const number = Number(value);
  if (!(number > 0)) throw new UsageError(`${name} is no number above 0: ${value}`);
  return number;
}

/** As openstackclient reads them. @throws UsageError */
function readAccount(env: Variables): Account {
  const get = (name: string) => (env[name] ?? "") || null;
  const url = get("OS_AUTH_URL");
  if (url !== null && !URL.canParse(url)) throw new UsageError(`OS_AUTH_URL is no URL: ${url}`);
  const keystone = url === null ? null : `${url.replace(/\/+$/, "").replace(/\/v3$/, "")}/v3`;
  return { keystone, token: get("OS_TOKEN"), logIn: readLogIn(get), region: get("OS_REGION_NAME") };
}

function readLogIn(get: (name: string) => string | null): LogIn | null {
  const domain = (prefix: string) => {
    const id = get(`${prefix}_DOMAIN_ID`);
    return id === null ? { name: get(`${prefix}_DOMAIN_NAME`) ?? "Default" } : { id };
  };
  const userId = get("OS_USER_ID");
  const user = userId === null ? { name: get("OS_USERNAME"), domain: domain("OS_USER") } : { id: userId };
  const secret = get("OS_APPLICATION_CREDENTIAL_SECRET");
  if (secret !== null) {
    const id = get("OS_APPLICATION_CREDENTIAL_ID");
    const credential = id === null ? { name: get("OS_APPLICATION_CREDENTIAL_NAME"), user } : { id };
    const identity = { methods: ["application_credential"], application_credential: { ...credential, secret } };
    return { identity };
  }
  const password = get("OS_PASSWORD");
  if (password === null) return null;
  const projectId = get("OS_PROJECT_ID");
  const projectName = get("OS_PROJECT_NAME");
  const project =
    projectId !== null
      ? { id: projectId }
      : projectName !== null
        ? { name: projectName, domain: domain("OS_PROJECT") }
        : null;
  return {
    identity: { methods: ["password"], password: { user: { ...user, password } } },
    ...(project === null ? {} : { scope: { project } }),
  };
}
