/** The cache API the way a test reads and arranges a cache with it: the edge's, or that of the Glance beside it. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { tokenOf } from "./cloud.ts";

export interface CachedImage {
  readonly image_id: string;
  readonly hits: number;
  /** Seconds of the epoch, as is `last_modified`. */
  readonly last_accessed: number;
  readonly last_modified: number;
  readonly size: number;
}

export interface CacheState {
  readonly cached_images: readonly CachedImage[];
  readonly queued_images: readonly string[];
}

/** An admin's request. @throws Error when it is refused */
export async function manage(base: string, method: string, path: string): Promise<string> {
  const response = await fetch(base + path, { method, headers: { "x-auth-token": await tokenOf("admin") } });
  const text = await response.text();
  assert.ok(response.ok, `${method} ${base}${path}: ${response.status} ${text}`);
  return text;
}

export async function cacheState(base: string): Promise<CacheState> {
  return JSON.parse(await manage(base, "GET", "/v2/cache")) as CacheState;
}

/** Waits until the image is in the cache and, where `when` is given, its entry is so. @returns its entry */
export async function untilCached(
  base: string,
  id: string,
  when: (entry: CachedImage) => boolean = () => true,
): Promise<CachedImage> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const state = await cacheState(base);
    const entry = state.cached_images.find(({ image_id }) => image_id === id);
    if (entry !== undefined && when(entry)) return entry;
    assert.ok(Date.now() < deadline, `${id} is not so at ${base} after 30 s: ${JSON.stringify(state)}`);
    await sleep(100);
  }
}
