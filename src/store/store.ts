/** The parts of the store that a change of what is stored concerns together: catalog, room and slices. */
import type { Log } from "../observe/log.ts";
import type { Catalog } from "./catalog.ts";
import type { Generation, Generations } from "./generations.ts";
import type { SliceStore } from "./slices.ts";

/** An invocation has six connections (Workers limits page), and others want some. */
const AT_ONCE = 4;

export interface Store {
  readonly catalog: Catalog;
  readonly generations: Generations;
  readonly slices: SliceStore;
  readonly log: Log;
}

/**
 * Removes the slices of generations that were given up, and gives their room back. A failure is logged and never thrown:
 * they stay marked, and the next clean tries again.
 * @returns number of generations that are gone
 */
export async function removeCondemned(store: Store, condemned: readonly Generation[]): Promise<number> {
  const gone: string[] = [];
  for (let at = 0; at < condemned.length; at += AT_ONCE) {
    const removed = await Promise.all(condemned.slice(at, at + AT_ONCE).map((one) => remove(store, one)));
    gone.push(...removed.flat());
  }
  if (gone.length === 0) return 0;
  try {
    // One statement for all: an invocation may ask D1 a thousand times (D1 limits page).
    await store.generations.release(gone);
    return gone.length;
  } catch (cause) {
    store.log.error("store.release-failed", cause, { generations: gone.length });
    return 0;
  }
}

/** @returns the generation when its slices are gone */
async function remove({ slices, log }: Store, { blob, generation }: Generation): Promise<string[]> {
  try {
    await slices.removeGeneration(blob, generation);
    return [generation];
  } catch (cause) {
    log.error("store.remove-failed", cause, { blob, generation });
    return [];
  }
}

/** What a sweep takes in one go. */
const SWEPT = 100;

/**
 * Removes what was given up and is still there, the oldest first.
 * @param late says when to stop
 * @returns number of generations that are gone
 */
export async function sweep(store: Store, late: () => boolean): Promise<number> {
  for (let total = 0; ; ) {
    if (late()) return total;
    const condemned = await store.generations.removing(SWEPT);
    const gone = await removeCondemned(store, condemned);
    total += gone;
    // What can't be removed now would come again and again.
    if (condemned.length < SWEPT || gone === 0) return total;
  }
}
