/** What `npm start` has to know of the flags that it hands on to `wrangler dev`. */
import { isIPv6 } from "node:net";

export interface StartFlags {
  /** Where the edge listens, as wrangler wants it told; "*": at every address. */
  readonly ip: string;
  readonly port: number;
  /** The edge as this machine reaches it. */
  readonly url: string;
  /** Null: the demo origin. */
  readonly originUrl: string | null;
  readonly hasKeystone: boolean;
  /** Those that decide which local database is meant: for the migrations too. */
  readonly shared: readonly string[];
  /** Flags for `wrangler dev` that the user did not give, or gave in a form that it does not take. */
  readonly defaults: readonly string[];
  /** The user's own, but for --ip. */
  readonly given: readonly string[];
}

const SHARED = new Map([
  ["--persist-to", "--persist-to"],
  ["--config", "--config"],
  ["-c", "--config"],
  ["--env", "--env"],
  ["-e", "--env"],
]);

const LOOPBACK = "127.0.0.1";

/** Hosts of URLs that mean every address of the machine: nobody can connect to them everywhere. */
const WILDCARDS = new Set(["*", "0.0.0.0", "[::]", "[::ffff:0:0]"]);

/** @throws Error that says which flag is wrong */
export function readStartFlags(given: readonly string[]): StartFlags {
  const flags = given.flatMap((argument, index) => readFlag(argument, given.slice(index + 1)));
  const last = (name: string): string | undefined => flags.findLast((flag) => flag.name === name)?.values[0];
  const vars = flags.filter((flag) => flag.name === "--var").flatMap((flag) => flag.values);
  const host = flags.some((flag) => flag.name === "--ip") ? readHost(last("--ip") ?? "") : LOOPBACK;
  // Wrangler takes an IPv6 address without its brackets only.
  const ip = host.replace(/^\[(.*)\]$/, "$1");
  const port = Number(last("--port") ?? 8787);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error("--port must be a number from 1 to 65535");
  const originUrl = vars.findLast((text) => text.startsWith("ORIGIN_URL:"))?.slice("ORIGIN_URL:".length);
  if (originUrl !== undefined && !URL.canParse(originUrl)) throw new Error(`ORIGIN_URL is not a URL: ${originUrl}`);
  return {
    ip,
    port,
    url: `http://${WILDCARDS.has(host) ? LOOPBACK : host}:${port}`,
    originUrl: originUrl ?? null,
    hasKeystone: vars.some((text) => text.startsWith("KEYSTONE_URL:")),
    shared: flags.flatMap(({ name, values: [value] }) => {
      const shared = SHARED.get(name);
      return shared === undefined || value === undefined ? [] : [shared, value];
    }),
    defaults: [
      "--ip",
      ip,
      ...(last("--port") === undefined ? ["--port", String(port)] : []),
      // Without a terminal there are no keys to press, and with one Ctrl-C is enough.
      "--show-interactive-dev-session=false",
    ],
    given: given.filter((argument, index) => !/^--ip(=|$)/.test(argument) && !isValueOf("--ip", given, index)),
  };
}

/**
 * An address or a name as a URL has it: an address has many spellings, and 0 or ::0 mean what 0.0.0.0 and :: do.
 * @throws Error for what names no host
 */
function readHost(text: string): string {
  if (text === "*") return text;
  const bare = /^\[(.*)\]$/.exec(text)?.[1] ?? text;
  const url = `http://${isIPv6(bare) ? `[${bare}]` : bare}/`;
  // A port or a path is no part of a host, and an address with a zone (fe80::1%eth0) has no URL.
  if (!(isIPv6(bare) || /^[\w.-]+$/.test(bare)) || !URL.canParse(url)) {
    throw new Error(`--ip must be an address of this machine, or * for all of them, not ${text || "nothing"}`);
  }
  const host = new URL(url).hostname;
  // Wrangler takes the name for this address, whatever else it means here.
  return host === "localhost" ? LOOPBACK : host;
}

function isValueOf(name: string, given: readonly string[], index: number): boolean {
  return given[index - 1] === name && given[index]?.startsWith("-") === false;
}

interface Flag {
  readonly name: string;
  readonly values: readonly string[];
}

/** `--name=value`, or `--name` with all that follows up to the next flag, as yargs reads arrays. */
function readFlag(argument: string, rest: readonly string[]): Flag[] {
  if (!argument.startsWith("-")) return [];
  const [name = "", ...values] = argument.split("=");
  if (values.length > 0) return [{ name, values: [values.join("=")] }];
  const next = rest.findIndex((other) => other.startsWith("-"));
  return [{ name, values: next === -1 ? rest : rest.slice(0, next) }];
}
