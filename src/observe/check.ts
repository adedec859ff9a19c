/** One look at something that the edge needs. */

import { DeadlineExceeded, withDeadline } from "../lib/deadline.ts";
import type { Log } from "../lib/log.ts";

export interface Check {
  readonly ok: boolean;
  readonly ms: number;
  /** For everybody: without addresses and secrets. Null: there is nothing to say. */
  readonly why: string | null;
}

/** Said to everybody who asks. */
export class Unhealthy extends Error {
  override readonly name = "Unhealthy";
}

/** Whoever asks for the health waits for it. */
const CHECK_MS = 5_000;

/**
 * @param look returns what there is to say though it is well
 * @param otherwise what is wrong when it throws something else than {@link Unhealthy}
 */
export async function check(
  name: string,
  look: () => Promise<string | null>,
  otherwise: string,
  { log, now }: { readonly log: Log; readonly now: () => number },
): Promise<Check> {
  const began = now();
  try {
    const why = await withDeadline(name, CHECK_MS, look());
    return { ok: true, ms: now() - began, why };
  } catch (cause) {
    log.error("health.failed", cause, { check: name });
    const silent = cause instanceof DeadlineExceeded ? `did not answer within ${CHECK_MS / 1000} s` : otherwise;
    return { ok: false, ms: now() - began, why: cause instanceof Unhealthy ? cause.message : silent };
  }
}
