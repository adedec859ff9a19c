/**
 * The bound on memory for slices being stored. An isolate has 128 MB for all its requests together (Workers limits
 * page), and one isolate may serve many downloads: pullers share this budget, and one that gets none does not store.
 */

/** At most this many slice buffers of up to 8 MiB live in one isolate: 72 MiB. */
const ISOLATE_BUFFERS = 9;

let free = ISOLATE_BUFFERS;

/** Takes one buffer's share of the budget, or says no. Whoever got it gives it back with {@link giveBuffer}. */
export function takeBuffer(): boolean {
  if (free === 0) return false;
  free--;
  return true;
}

export function giveBuffer(): void {
  free++;
}
