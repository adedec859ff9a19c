/**
 * What those who work for a Fill see of it: its state, and the one step in which that changes. Handed to them as an object of
 * its own, since every method of the Durable Object could be called from outside.
 */
import type { Event } from "./events.ts";
import type { FillState } from "./state.ts";

export interface FillCore {
  /** The state as far as it is in memory. */
  readonly known: () => FillState | null;
  /** The state, from disk where it is not in memory. */
  readonly of: (imageId: string) => FillState;
  /** Takes an event in. Resolves when what it asks for is done, but for pulls and puts. */
  readonly apply: (imageId: string, event: Event) => Promise<void>;
  /** Keeps the object until this has settled. */
  readonly background: (work: Promise<unknown>) => void;
  /** The queue has a place for another image. */
  readonly queueMoved: () => void;
  /** A put to R2 hangs, and none can be called back: all that is remembered is on disk, and a new object goes on from there. */
  readonly startAnew: (imageId: string) => Promise<never>;
}
