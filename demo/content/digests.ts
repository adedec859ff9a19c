/** Digests of an image's content, computed once per content: a 1 GiB image of the same seed is digested only for the first test. */
import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import type { ImageContent } from "./image-content.ts";

const READ_BYTES = 2 ** 20;

const known = new Map<string, Promise<string>>();

/** The hex digest by one of node:crypto's algorithms. */
export function digestOf(content: ImageContent, algorithm: string): Promise<string> {
  if (content.key === null) return compute(content, algorithm);
  const key = `${algorithm}:${content.key}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  const digest = compute(content, algorithm);
  known.set(key, digest);
  return digest;
}

async function compute(content: ImageContent, algorithm: string): Promise<string> {
  const hash = createHash(algorithm);
  const reader = await content.open();
  for (let at = 0; at < content.size; at += READ_BYTES) {
    hash.update(await reader.read(at, Math.min(READ_BYTES, content.size - at)));
    // Other images' downloads go on meanwhile.
    await setImmediate();
  }
  await reader.close();
  return hash.digest("hex");
}
