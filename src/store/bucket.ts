/** What slices, parts and kept images ask of R2 alike: opening with a bound and one more try, lists of attempts, removal. */
import { withDeadline } from "../lib/deadline.ts";
import { retry } from "../lib/retry.ts";

/** R2 answers within some 100 ms; a store that takes this long is as good as gone. */
const OPEN_MS = 5_000;
/** R2 fails now and then though nothing is wrong ("(10001) internal error"): one more try, ms later. */
const AGAIN_MS = [100];
/** R2's error for a range behind the object's end. developers.cloudflare.com/r2/api/error-codes/ */
const RANGE_NOT_SATISFIABLE = "(10039)";

/**
 * Opens an object.
 * @returns null when it is missing, or the range begins behind its end
 * @throws whatever R2 throws twice, DeadlineExceeded
 */
export async function openObject(bucket: R2Bucket, key: string, range: R2Range | null): Promise<R2ObjectBody | null> {
  const options = range === null ? {} : { range };
  const opening = retry(() => bucket.get(key, options), {
    delaysMs: AGAIN_MS,
    retryable: (cause) => !isR2Error(cause, RANGE_NOT_SATISFIABLE),
  }).catch((cause: unknown) => {
    if (isR2Error(cause, RANGE_NOT_SATISFIABLE)) return null;
    throw cause;
  });
  try {
    return await withDeadline("R2", OPEN_MS, opening);
  } catch (cause) {
    // Should it open after all, nobody reads it.
    void opening.then((late) => late?.body.cancel()).catch(() => undefined);
    throw cause;
  }
}

/** @throws whatever R2 throws twice, DeadlineExceeded */
export async function headObject(bucket: R2Bucket, key: string): Promise<R2Object | null> {
  return withDeadline(
    "R2",
    OPEN_MS,
    retry(() => bucket.head(key), { delaysMs: AGAIN_MS }),
  );
}

/** A piece of an object whose size is known. */
export interface Keyed {
  readonly key: string;
  /** Bytes of the whole object. */
  readonly size: number;
  readonly offset: number;
  readonly length: number;
}

/**
 * Opens a piece of an object.
 * @param agrees looks at the object's metadata
 * @returns null when it is missing, not `size` bytes long, or does not agree
 * @throws whatever R2 throws twice, DeadlineExceeded
 */
export async function openKeyed(
  bucket: R2Bucket,
  { key, size, offset, length }: Keyed,
  agrees: (object: R2Object) => boolean = () => true,
): Promise<ReadableStream<Uint8Array> | null> {
  const object = await openObject(bucket, key, length === size ? null : { offset, length });
  if (object === null) return null;
  if (object.size === size && agrees(object)) return object.body;
  await object.body.cancel();
  return null;
}

/** Removes all that begins so. Safe to call again. @throws whatever R2 throws */
export async function removePrefix(bucket: R2Bucket, prefix: string): Promise<void> {
  for (;;) {
    // From the start each time: a cursor into a list that is being deleted could skip some.
    const page = await bucket.list({ prefix });
    if (page.objects.length > 0) await bucket.delete(page.objects.map((object) => object.key));
    if (!page.truncated) return;
  }
}

export function isR2Error(cause: unknown, code: string): boolean {
  return cause instanceof Error && cause.message.includes(code);
}
