/** How much room a fill needs, and which images are given up for it: the least recently used first, pinned ones last, never one in use. Pure. */

/** A kept image as the choice of what to give up sees it. Times in ms since the epoch. */
export interface Candidate {
  readonly imageId: string;
  /** Bytes. */
  readonly size: number;
  readonly lastAccessed: number;
  readonly inUseUntil: number;
  /** Given up only where nothing else would do. */
  readonly pinned: boolean;
}

export interface Choice {
  readonly images: readonly Candidate[];
  /** Bytes of them. */
  readonly bytes: number;
}

/** Slices and object are there together for a while: a fill needs room for both. */
export function roomFor(size: number): number {
  return 2 * size;
}

/**
 * @param candidates in any order; one that was never read counts from its commit
 * @param wanted bytes to free
 * @param now ms since the epoch
 * @returns as many as it takes, or all that may go when they are not enough
 */
export function leastRecentlyUsed(candidates: readonly Candidate[], wanted: number, now: number): Choice {
  const idle = candidates.filter(({ inUseUntil }) => inUseUntil <= now);
  idle.sort(
    (a, b) =>
      Number(a.pinned) - Number(b.pinned) || a.lastAccessed - b.lastAccessed || (a.imageId < b.imageId ? -1 : 1),
  );
  const images: Candidate[] = [];
  let bytes = 0;
  for (const candidate of idle) {
    if (bytes >= wanted) break;
    images.push(candidate);
    bytes += candidate.size;
  }
  return { images, bytes };
}
