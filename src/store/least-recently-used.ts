/** Which blobs are given up when room is needed: the least recently used first, never one in use. Pure. */
import type { Candidate } from "./generations.ts";

export interface Choice {
  readonly blobs: readonly Candidate[];
  /** Bytes of them. */
  readonly bytes: number;
}

/**
 * @param candidates in any order; one that was never read counts from its commit
 * @param wanted bytes to free
 * @param now ms since the epoch
 * @returns as many as it takes, or all that may go when they are not enough
 */
export function leastRecentlyUsed(candidates: readonly Candidate[], wanted: number, now: number): Choice {
  const idle = candidates.filter(({ inUseUntil }) => inUseUntil <= now);
  idle.sort((a, b) => a.lastAccessed - b.lastAccessed || (a.blob < b.blob ? -1 : 1));
  const blobs: Candidate[] = [];
  let bytes = 0;
  for (const candidate of idle) {
    if (bytes >= wanted) break;
    blobs.push(candidate);
    bytes += candidate.size;
  }
  return { blobs, bytes };
}
