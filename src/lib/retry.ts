/**
 * The one way to try a call to R2 or a Durable Object again. Such calls fail now and then though nothing is wrong ("Network
 * connection lost", R2's 10001): developers.cloudflare.com/durable-objects/best-practices/error-handling/.
 */

export interface RetryOptions {
  /** Pauses before each further try, ms; each is spread by up to half, so that many callers do not come back at once. */
  readonly delaysMs: readonly number[];
  /** Whether a failure is worth another try; without it every one is. */
  readonly retryable?: (cause: unknown) => boolean;
}

/**
 * @param call is called anew for each try, so that it can take a new stub: after an exception a stub may stay broken
 * @throws what the last try threw
 */
export async function retry<T>(call: () => Promise<T>, { delaysMs, retryable = () => true }: RetryOptions): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await call();
    } catch (cause) {
      const delay = delaysMs[tries];
      if (delay === undefined || !retryable(cause)) throw cause;
      // An overloaded object says so at once: coming back soon would keep it so.
      await scheduler.wait(spread(isOverloaded(cause) ? delay + OVERLOADED_MS : delay));
    }
  }
}

const OVERLOADED_MS = 1_000;

/** A pause of this length, up to half longer. */
export function spread(ms: number): number {
  return ms + Math.random() * ms * 0.5;
}

function isOverloaded(cause: unknown): boolean {
  return cause instanceof Error && "overloaded" in cause && cause.overloaded === true;
}
