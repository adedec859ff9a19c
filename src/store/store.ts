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
 */
export async function removeCondemned(store: Store, condemned: readonly Generation[]): Promise<void> {
  for (let at = 0; at < condemned.length; at += AT_ONCE) {
    await Promise.all(condemned.slice(at, at + AT_ONCE).map((generation) => remove(store, generation)));
  }
}

async function remove(store: Store, { blob, generation }: Generation): Promise<void> {
  try {
    await store.slices.removeGeneration(blob, generation);
    await store.generations.release(generation);
  } catch (cause) {
    store.log.error("store.remove-failed", cause, { blob, generation });
  }
}
