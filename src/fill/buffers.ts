/**
 * The bound on memory for slices being stored. An isolate has 128 MB for all its requests together (Workers limits
 * page), and one isolate may serve many downloads: pullers share this budget, and one that gets none does not store.
 */

/** At most this many slice buffers of up to 8 MiB live in one isolate: 72 MiB. */
const ISOLATE_BUFFERS = 9;
/**
 * A request that the runtime cancels runs no `finally`: what it held is never given back. A buffer that nobody touched
 * for so long is taken for such a one.
 */
const ABANDONED_MS = 60_000;

/** One slice being filled or stored. */
export interface SliceBuffer {
  readonly bytes: Uint8Array;
  /** ms since the epoch; whoever works with the buffer keeps it fresh. */
  touchedAt: number;
}

const taken = new Set<SliceBuffer>();

/** Takes a buffer of this length, or null when the isolate has no room. Given back with {@link giveBuffer}. */
export function takeBuffer(length: number, now: number): SliceBuffer | null {
  if (taken.size >= ISOLATE_BUFFERS) {
    for (const buffer of taken) if (now - buffer.touchedAt >= ABANDONED_MS) taken.delete(buffer);
    if (taken.size >= ISOLATE_BUFFERS) return null;
  }
  const buffer = { bytes: new Uint8Array(length), touchedAt: now };
  taken.add(buffer);
  return buffer;
}

export function giveBuffer(buffer: SliceBuffer): void {
  taken.delete(buffer);
}
