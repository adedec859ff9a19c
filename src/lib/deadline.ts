/** A bound on how long a part of the edge may keep a download waiting before it counts as failed. */

export class DeadlineExceeded extends Error {
  override readonly name = "DeadlineExceeded";
}

/** @throws the signal's reason, should it come first; the promise is left to itself then */
export async function unlessAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const leave = () => reject(signal.reason);
  if (signal.aborted) leave();
  signal.addEventListener("abort", leave, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", leave);
  }
}

/** @throws DeadlineExceeded when the promise has not settled after `ms`; it is left to itself then */
export async function withDeadline<T>(what: string, ms: number, promise: Promise<T>): Promise<T> {
  const { promise: expiry, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new DeadlineExceeded(`${what} took more than ${ms} ms`)), ms);
  try {
    return await Promise.race([promise, expiry]);
  } finally {
    clearTimeout(timer);
  }
}
