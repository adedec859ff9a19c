/** What is said to `npm run trial`. */
import { parseArgs } from "node:util";
import { orStop, Stop } from "../deploy/stop.ts";

export interface TrialFlags {
  /** On this machine, with wrangler's simulators. */
  readonly local: boolean;
  readonly location: string | null;
  readonly jurisdiction: string | null;
  readonly size: number;
  readonly slowSeconds: number;
  /** Until the edge must answer, ms. */
  readonly waitMs: number;
  /** The end of the name of an earlier trial, which is to be removed; null: a new one is made. */
  readonly remove: string | null;
}

/** The pace of a fill that a deploy is to fall into: a deploy takes some 20 seconds. */
const SLOW_SECONDS = "60";

/** @throws Stop that says which flag is wrong */
export function readTrialFlags(args: readonly string[]): TrialFlags {
  const { values } = parse(args);
  const { local = false, location = null, jurisdiction = null, remove = null } = values;
  if (!local && (location === null) === (jurisdiction === null)) {
    throw new Stop("Give --location or --jurisdiction, as for npm run deploy, or --local for a trial on this machine.");
  }
  if (remove !== null && !/^[0-9a-f]{8}$/.test(remove))
    throw new Stop(`--remove ${remove} is not the end of a trial's name.`);
  return {
    ...{ local, location, jurisdiction, remove },
    size: whole("--size", values.size ?? "256") * 2 ** 20,
    slowSeconds: whole("--slow", values.slow ?? SLOW_SECONDS),
    waitMs: whole("--wait", values.wait ?? "120") * 1000,
  };
}

function whole(name: string, text: string): number {
  if (/^\d{1,5}$/.test(text)) return Number(text);
  throw new Stop(`${name} ${text} is no number.`);
}

function parse(args: readonly string[]) {
  const text = { type: "string" } as const;
  return orStop(() =>
    parseArgs({
      args: [...args],
      options: {
        local: { type: "boolean" },
        ...{ location: text, jurisdiction: text, remove: text },
        ...{ size: text, slow: text, wait: text },
      },
    }),
  );
}
