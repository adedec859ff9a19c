/** What `npm start` has to know of the flags that it hands on to `wrangler dev`. */

export interface StartFlags {
  readonly ip: string;
  readonly port: number;
  /** Null: the demo origin. */
  readonly originUrl: string | null;
  readonly hasKeystone: boolean;
  /** Those that decide which local database is meant: for the migrations too. */
  readonly shared: readonly string[];
  /** Flags for `wrangler dev` that the user did not give. */
  readonly defaults: readonly string[];
  /** The user's own, unchanged. */
  readonly given: readonly string[];
}

const SHARED = new Map([
  ["--persist-to", "--persist-to"],
  ["--config", "--config"],
  ["-c", "--config"],
  ["--env", "--env"],
  ["-e", "--env"],
]);

/** @throws Error that says which flag is wrong */
export function readStartFlags(given: readonly string[]): StartFlags {
  const flags = given.flatMap((argument, index) => readFlag(argument, given.slice(index + 1)));
  const last = (name: string): string | undefined => flags.findLast((flag) => flag.name === name)?.values[0];
  const vars = flags.filter((flag) => flag.name === "--var").flatMap((flag) => flag.values);
  const ip = last("--ip") ?? "127.0.0.1";
  const port = Number(last("--port") ?? 8787);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error("--port must be a number from 1 to 65535");
  const originUrl = vars.findLast((text) => text.startsWith("ORIGIN_URL:"))?.slice("ORIGIN_URL:".length);
  if (originUrl !== undefined && !URL.canParse(originUrl)) throw new Error(`ORIGIN_URL is not a URL: ${originUrl}`);
  return {
    ip,
    port,
    originUrl: originUrl ?? null,
    hasKeystone: vars.some((text) => text.startsWith("KEYSTONE_URL:")),
    shared: flags.flatMap(({ name, values: [value] }) => {
      const shared = SHARED.get(name);
      return shared === undefined || value === undefined ? [] : [shared, value];
    }),
    defaults: [
      ...(last("--ip") === undefined ? ["--ip", ip] : []),
      ...(last("--port") === undefined ? ["--port", String(port)] : []),
      // Without a terminal there are no keys to press, and with one Ctrl-C is enough.
      "--show-interactive-dev-session=false",
    ],
    given,
  };
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
