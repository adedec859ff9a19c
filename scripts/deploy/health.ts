/** Asks a deployed edge how it is, until it answers. */
import { Stop } from "./stop.ts";

const POLL_MS = 2_000;
const ASK_MS = 30_000;

export interface Health {
  readonly status: "ok" | "failing";
  readonly checks: Readonly<Record<string, { readonly ok: boolean; readonly why: string | null }>>;
}

/** @returns what is wrong; empty: nothing. @throws Stop when the edge does not answer in time */
export async function untilHealthy(url: string, waitMs: number, clock: Clock): Promise<string[]> {
  for (const deadline = clock.now() + waitMs; ; await clock.sleep(POLL_MS)) {
    const answer = await askHealth(url);
    if (typeof answer !== "string") {
      return Object.entries(answer.checks).flatMap(([name, { ok, why }]) => (ok ? [] : [`${name}: ${why}`]));
    }
    if (clock.now() >= deadline) {
      throw new Stop(
        `The edge is deployed, but ${url}/edge/health does not answer as an edge (${answer}): a new name can take minutes; look again later.`,
      );
    }
  }
}

/** @returns why there is none, if it is none of an edge */
export async function askHealth(url: string): Promise<Health | string> {
  try {
    const response = await fetch(`${url}/edge/health`, { redirect: "manual", signal: AbortSignal.timeout(ASK_MS) });
    const health: unknown = await response.json().catch(() => null);
    return isHealth(health) ? health : `status ${response.status}`;
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return cause instanceof Error ? cause.message : String(cause);
  }
}

function isHealth(value: unknown): value is Health {
  return typeof value === "object" && value !== null && "status" in value && "checks" in value;
}

export interface Clock {
  now(): number;
  sleep(ms: number): Promise<unknown>;
}
