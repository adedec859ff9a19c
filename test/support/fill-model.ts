/**
 * A model of the world around one fill, for searching through what can happen to it: readers with clients, the slices
 * in R2, the digest gates, the background, and time. The rules of src/fill/rules.ts are the real ones; what calls them
 * is modelled after the Fill and its readers. Each world is immutable and every move gives a new one, checked.
 */
import type { Ask } from "../../src/fill/protocol.ts";
import * as rules from "../../src/fill/rules.ts";

/** Somebody who pulls from the origin under a lease. */
export interface Puller {
  readonly lease: string;
  readonly generation: string;
  /** The slice to put next. */
  readonly next: number;
  /** Puts that are done and not reported, in order: whether each found another one's bytes. */
  readonly unreported: readonly boolean[];
  /** Whether its own digest gate sees the image from the first byte. */
  readonly gated: boolean;
  /** What the origin gives it: all true, or all wrong. */
  readonly good: boolean;
  /** Whether all that it put became what is stored. */
  readonly sole: boolean;
  /** `stalling`: alive without a byte; `silent`: cut off from the Fill, not from R2. */
  readonly mood: "lively" | "stalling" | "silent";
  /** What the Fill told it last. */
  readonly standing: "held" | "lost" | "dropped";
}

export interface Reader {
  readonly phase: "asking" | "pulling" | "let-go" | "judged" | "ended";
  /** How it ended, or what its gate said. */
  readonly outcome: string;
  /** What its client has bytes of. */
  readonly generation: string | null;
  /** Whole slices that the client has, and whether it has any byte at all. */
  readonly position: number;
  readonly some: boolean;
  readonly lastIsStored: boolean;
  /** Whether all bytes that the client has are the image's. */
  readonly clean: boolean;
  readonly pull: Puller | null;
}

export interface World {
  readonly now: number;
  readonly fill: rules.FillState | null;
  /** The current generation's slices in R2: true bytes, wrong bytes, or none. */
  readonly objects: readonly (boolean | null)[];
  /** Somebody has shown that the current generation's content is right. */
  readonly proven: boolean;
  readonly readers: readonly Reader[];
  readonly background: Puller | null;
  /** The generation that is being read back. */
  readonly verifying: string | null;
  /** Somebody took over, so that the read-back follows the fill. */
  readonly followed: boolean;
  readonly generations: number;
  readonly leases: number;
  /** Generations that were found to be wrong or incomplete, as far as a reader still has bytes of them. */
  readonly dropped: readonly string[];
  /** When each mismatch was, ms since the epoch, the last two. */
  readonly mismatches: readonly number[];
  /** How often each kind of misfortune may still happen. */
  readonly left: Readonly<Record<Misfortune, number>>;
}

/**
 * `wrong`: a pull that gets wrong bytes; `slow`: a store that a lone download lets go of; `stall` and `silence`: a puller's
 * moods; `failure`: the background gets nowhere; `lost`: a slice that is gone when it is read.
 */
export type Misfortune = "wrong" | "slow" | "stall" | "silence" | "failure" | "lost";

export interface ModelOptions {
  readonly readers: number;
  readonly slices: number;
  readonly stallMs: number;
  /** Puts that a puller may have under way; 0: a put and its report are one step. */
  readonly puts: number;
  readonly misfortunes: Readonly<Record<Misfortune, number>>;
}

export const SLICE_BYTES = 64;
const START = 10 ** 9;

export function newWorld(options: ModelOptions): World {
  const reader: Reader = {
    phase: "asking",
    outcome: "",
    generation: null,
    position: 0,
    some: false,
    lastIsStored: false,
    clean: true,
    pull: null,
  };
  return {
    now: START,
    fill: null,
    objects: [],
    proven: false,
    readers: Array.from({ length: options.readers }, () => reader),
    background: null,
    verifying: null,
    followed: false,
    generations: 0,
    leases: 0,
    dropped: [],
    mismatches: [],
    left: options.misfortunes,
  };
}

/** What a reader asks for, as a download over a fill asks it. */
export function askOf(reader: Reader, index: number, slices: number): Ask {
  const heldBack = reader.lastIsStored && reader.position === slices - 1;
  return {
    reader: `reader ${index}`,
    generation: heldBack || reader.some ? reader.generation : null,
    need: heldBack ? { what: "verdict" } : { what: "slice", slice: reader.position },
  };
}

/** The world with a generation of its own for whoever asks first, or after a drop. */
export function begun(world: World, slices: number, previous: rules.FillState | null): World {
  const generation = `generation ${world.generations}`;
  const fresh = { blob: "blob", generation, slices, sliceBytes: SLICE_BYTES };
  return {
    ...world,
    fill: rules.newGeneration(previous, fresh, world.now),
    objects: Array.from({ length: slices }, () => null),
    proven: false,
    followed: false,
    generations: world.generations + 1,
  };
}

/** The current generation is given up, and the next one begun. */
export function dropped(world: World, state: rules.FillState): World {
  return begun({ ...world, dropped: [...world.dropped, state.generation] }, state.slices, state);
}

/** The world after a mismatch in a generation; one that is gone already changes nothing. */
export function disagreed(world: World, generation: string): World {
  if (world.fill?.generation !== generation) return world;
  const mismatches = [...world.mismatches, world.now].slice(-2);
  return dropped({ ...world, mismatches }, rules.mismatched(world.fill, world.now));
}

export function withReader(world: World, index: number, change: Partial<Reader>): World {
  return { ...world, readers: world.readers.map((reader, at) => (at === index ? { ...reader, ...change } : reader)) };
}

export function suffered(world: World, kind: Misfortune): World {
  return { ...world, left: { ...world.left, [kind]: world.left[kind] - 1 } };
}

/** All who pull, the background included. */
export function pullers(world: World): Puller[] {
  const all = [world.background, ...world.readers.map((reader) => reader.pull)];
  return all.filter((puller) => puller !== null);
}

/** Whether the holder of the lease still reports. */
export function holderBeats(world: World): Puller | null {
  const { fill } = world;
  if (fill === null) return null;
  const holder = pullers(world).find(
    (puller) => puller.lease === fill.lease?.id && puller.generation === fill.generation,
  );
  return holder === undefined || holder.mood === "silent" ? null : holder;
}

/**
 * A name for worlds that behave alike: times count from now, and only as far as a rule can tell them apart; names of
 * leases and generations give way to what they are; readers have no order.
 */
export function keyOf(world: World, stallMs: number): string {
  const { fill, now } = world;
  // How long ago exactly is left out where no rule asks: it would multiply the worlds by the ticks of a day.
  const age = (time: number, ...bounds: number[]) => bounds.filter((bound) => now - time >= bound).length;
  const rest = (time: number) => Math.max(0, time - now);
  const pull = (puller: Puller | null) =>
    puller === null
      ? 0
      : [
          puller.generation === fill?.generation,
          puller.lease === fill?.lease?.id,
          puller.lease === fill?.witness,
          puller.next,
          puller.unreported,
          puller.gated,
          puller.good,
          puller.sole,
          puller.mood,
          puller.standing,
        ];
  const readers = world.readers.map((reader) =>
    reader.phase === "ended"
      ? "ended"
      : JSON.stringify([
          reader.phase,
          reader.outcome,
          reader.generation === null ? 0 : reader.generation === fill?.generation ? 1 : 2,
          reader.generation !== null && world.dropped.includes(reader.generation),
          reader.position,
          reader.some,
          reader.lastIsStored,
          reader.clean,
          pull(reader.pull),
        ]),
  );
  return JSON.stringify([
    fill === null
      ? 0
      : [
          fill.stored,
          fill.lease === null ? -1 : rest(fill.lease.expires),
          fill.witness === null,
          fill.verdict,
          fill.committedAt === null ? -1 : age(fill.committedAt, rules.LINGER_MS),
          fill.committedAt === null ? age(fill.progressAt, stallMs, rules.LINGER_MS, rules.STALE_MS) : 0,
          fill.mismatches,
          fill.mismatches === 0 ? 0 : age(fill.mismatchedAt, rules.LEFT_ALONE_MS),
          Math.min(fill.setbacks, 7),
          fill.committedAt === null ? rest(fill.quietUntil) : 0,
        ],
    world.objects,
    world.proven,
    readers.sort(),
    pull(world.background),
    world.verifying === null ? 0 : world.verifying === fill?.generation ? 1 : 2,
    world.followed,
    world.mismatches.length,
    world.left,
  ]);
}
