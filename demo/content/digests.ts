/**
 * Digests of an image's content, computed once per content: a 1 GiB image of the same seed is digested only for the first
 * test.
 */
import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import type { ImageContent } from "./image-content.ts";

const READ_BYTES = 2 ** 20;

/** Digests that are remembered; the oldest go. */
const MAX_KNOWN = 1000;

/** One computation that several may wait for. */
interface Digest {
  readonly hex: Promise<string>;
  readonly abort: AbortController;
  waiting: number;
}

const known = new Map<string, Digest>();

/**
 * The hex digest by one of node:crypto's algorithms. The computation ends when nobody waits for it any longer.
 * @param gone fires when this caller has no use for it any more
 * @throws the signal's reason
 */
export async function digestOf(content: ImageContent, algorithm: string, gone: AbortSignal): Promise<string> {
  if (content.key === null) return compute(content, algorithm, gone);
  gone.throwIfAborted();
  const key = `${algorithm}:${content.key}`;
  const digest = known.get(key) ?? begin(key, content, algorithm);
  const left = Promise.withResolvers<never>();
  const leave = () => left.reject(gone.reason);
  gone.addEventListener("abort", leave);
  digest.waiting++;
  try {
    return await Promise.race([digest.hex, left.promise]);
  } catch (error) {
    // Whether it was given up or has failed: the next one begins anew.
    if (digest.waiting === 1 && known.get(key) === digest) known.delete(key);
    if (digest.waiting === 1) digest.abort.abort();
    throw error;
  } finally {
    digest.waiting--;
    gone.removeEventListener("abort", leave);
  }
}

function begin(key: string, content: ImageContent, algorithm: string): Digest {
  const abort = new AbortController();
  const digest = { hex: compute(content, algorithm, abort.signal), abort, waiting: 0 };
  const oldest = known.keys().next();
  if (known.size >= MAX_KNOWN && oldest.done !== true) known.delete(oldest.value);
  known.set(key, digest);
  return digest;
}

async function compute(content: ImageContent, algorithm: string, gone: AbortSignal): Promise<string> {
  const hash = createHash(algorithm);
  const reader = await content.open();
  try {
    for (let at = 0; at < content.size; at += READ_BYTES) {
      gone.throwIfAborted();
      hash.update(await reader.read(at, Math.min(READ_BYTES, content.size - at)));
      // Other images' downloads go on meanwhile.
      await setImmediate();
    }
  } finally {
    await reader.close();
  }
  return hash.digest("hex");
}
