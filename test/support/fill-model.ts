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
  /** What the Fill has not heard yet, in order: puts, by whether each found another one's bytes, and the lease's end. */
  readonly unreported: readonly (boolean | "release")[];
  /**
   * Its digest gate, if it began with the image's first byte for a client without any: `attached` to the client;
   * `detached` from it; `let-go` of the store, to the client alone.
   */
  readonly gate: "attached" | "detached" | "let-go" | null;
  /** Only of one that let go: the slice in hand then is still put. */
  readonly inHand: boolean;
  /** What the origin gives it: all true, or all wrong. */
  readonly good: boolean;
  /** Whether all that it put became what is stored. */
  readonly sole: boolean;
  /** The slices below this are known to be its own, if it has a gate. */
  readonly ownEnd: number;
  /** Its gate has seen all, and the Fill does not know yet. */
  readonly judged: boolean;
  /** `stalling`: alive without a byte; `silent`: cut off from the Fill, not from R2. */
  readonly mood: "lively" | "stalling" | "silent";
  /** What the Fill told it last. */
  readonly standing: "held" | "lost" | "dropped";
}

export interface Reader {
  /** `served`: its own pull brings its client all. */
  readonly phase: "asking" | "served" | "ended";
  /** How it ended. */
  readonly outcome: Outcome | "";
  /** What its client has bytes of. */
  readonly generation: string | null;
  /** Whole slices that the client has, and whether it has any byte at all. */
  readonly position: number;
  readonly some: boolean;
  readonly lastIsStored: boolean;
  /** Whether all bytes that the client has are the image's. */
  readonly clean: boolean;
  /** The pull that serves its client, or those that run beside its reading. They may outlive the client. */
  readonly pulls: readonly Puller[];
  /** Once detached: the client has bytes of its pull up to somewhere in the slice before `need`. */
  readonly detached: { readonly need: number; readonly ownEnd: number } | null;
  /** A pull beside its reading failed: it pulls no more. */
  readonly failed: boolean;
}

/**
 * How a client ends: with the whole image (`done`; `alone`: without the fill), or not: `cut` for what is wrong, `refused`
 * because its first bytes are not what is stored, `failed` for the origin, `forgotten` by the fill, or by itself (`left`,
 * `dead`).
 */
export type Outcome = "done" | "alone" | "cut" | "refused" | "failed" | "forgotten" | "left" | "dead";

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
  /** The generation that was committed when its fill was forgotten. */
  readonly catalog: string | null;
  readonly generations: number;
  readonly leases: number;
  /** Generations that were found to be wrong or incomplete, as far as a reader still has bytes of them. */
  readonly dropped: readonly string[];
  /** When each mismatch was, ms since the epoch, the last two. */
  readonly mismatches: readonly number[];
  /** How often the image's turn in the queue may still come. */
  readonly turns: number;
  /** The image holds one of the queue's places (PREFETCH_CONCURRENCY), which are few. */
  readonly claimed: boolean;
  /** How often each kind of misfortune may still happen. */
  readonly left: Readonly<Record<Misfortune, number>>;
}

/**
 * `wrong`: a pull that gets wrong bytes; `slow`: a store that a lone download lets go of; `blocked`: a client that does not
 * take its bytes; `stall` and `silence`: a puller's moods; `failure`: the background, or a pull beside a reading, gets
 * nowhere; `lost`: a slice that is gone when it is read.
 */
export type Misfortune = "wrong" | "slow" | "blocked" | "stall" | "silence" | "failure" | "lost";

export interface ModelOptions {
  readonly readers: number;
  readonly slices: number;
  readonly stallMs: number;
  /** Puts that a puller may have under way; 0: a put and its report are one step. */
  readonly puts: number;
  /** How often the image's turn in the queue may come. Default 0: it is not queued. */
  readonly turns?: number;
  readonly misfortunes: Readonly<Record<Misfortune, number>>;
}

const SLICE_BYTES = 64;
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
    pulls: [],
    detached: null,
    failed: false,
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
    catalog: null,
    generations: 0,
    leases: 0,
    dropped: [],
    mismatches: [],
    turns: options.turns ?? 0,
    claimed: false,
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

/** The world after a mismatch in a generation; one that is gone already, or committed, is not touched. */
export function disagreed(world: World, generation: string): World {
  if (world.fill?.generation !== generation || world.fill.committedAt !== null) return world;
  const mismatches = [...world.mismatches, world.now].slice(-2);
  return dropped({ ...world, mismatches }, rules.mismatched(world.fill, world.now));
}

export function withReader(world: World, index: number, change: Partial<Reader>): World {
  return { ...world, readers: world.readers.map((reader, at) => (at === index ? { ...reader, ...change } : reader)) };
}

export function at(world: World, index: number): Reader {
  const reader = world.readers[index];
  if (reader === undefined) throw new Error(`there is no reader ${index}`);
  return reader;
}

/** The client's end. What its pulls still have to say is said, but for one whose whole download `died`. */
export function end(world: World, index: number, outcome: Outcome): World {
  return withReader(world, index, { phase: "ended", outcome });
}

export function suffered(world: World, kind: Misfortune): World {
  return { ...world, left: { ...world.left, [kind]: world.left[kind] - 1 } };
}

/** All who pull, the background included. */
export function pullers(world: World): Puller[] {
  const all = world.readers.flatMap((reader) => reader.pulls);
  return world.background === null ? all : [...all, world.background];
}

/** Whether the holder of the lease still reports. */
export function holderBeats(world: World): Puller | null {
  const { fill } = world;
  if (fill === null) return null;
  const holder = pullers(world).find(
    (puller) => puller.lease === fill.lease?.id && puller.generation === fill.generation,
  );
  return holder === undefined || holder.mood === "silent" || holder.gate === "let-go" ? null : holder;
}
