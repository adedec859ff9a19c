/**
 * Keeps what is stored within CACHE_MAX_BYTES, by giving up what was used least recently. The cap is a hard one: room is
 * made before a fill stores its first slice (fill/admission.ts); prune itself has work only after the cap was lowered.
 */
import { giveUp, taken } from "../store/give-up.ts";
import { type Store, sweep } from "../store/store.ts";

export interface Pruned {
  /** Images, as Glance counts its cached files. */
  readonly files: number;
  readonly bytes: number;
}

/**
 * Prunes down to the cap, or as far as what is in use allows. What was given up leaves the catalog at once; its slices go
 * as far as there is time, and in the next runs.
 * @param cap bytes
 * @param now the clock, ms since the epoch
 * @param deadline ms since the epoch
 * @throws whatever D1 throws
 */
export async function prune(store: Store, cap: number, now: () => number, deadline: number): Promise<Pruned> {
  let files = 0;
  let bytes = 0;
  const late = () => now() >= deadline;
  while (!late()) {
    const given = await giveUp(store, taken(await store.generations.room()) - cap, "what-there-is", now());
    files += given.files;
    bytes += given.bytes;
    // Nothing more may go, or is there: what the figures say beyond that must not keep this running.
    if (given.bytes === 0) break;
  }
  await sweep(store, late);
  return { files, bytes };
}
