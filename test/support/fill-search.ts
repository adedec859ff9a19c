/** Searches all worlds of ./fill-model.ts that can be reached, breadth first, each once; so a trace is a shortest one. */
import type { Filling } from "../../src/fill/object/state.ts";
import { type Misfortune, STALE_MS, World } from "./fill-model.ts";
import { type Fate, movesOf, settle } from "./fill-moves.ts";
import { type Invariant, Violation } from "./fill-violation.ts";

export interface Search {
  /** The shortest way to the first violation of each invariant. */
  readonly violations: ReadonlyMap<Invariant, string>;
  readonly worlds: number;
  /** Each way that a client ended, and each phase that the fill was in. */
  readonly seen: ReadonlySet<string>;
}

const NONE: Record<Misfortune, number> = {
  wrong: 0,
  break: 0,
  hang: 0,
  refuse: 0,
  "store-fails": 0,
  "no-room": 0,
  "put-fails": 0,
  "answer-lost": 0,
  "object-lost": 0,
  restart: 0,
  stop: 0,
  leave: 0,
};

export type Misfortunes = Partial<Record<Misfortune, number>>;

export function newWorld(readers: number, slices: number, misfortunes: Misfortunes): World {
  return new World(readers, slices, { ...NONE, ...misfortunes });
}

/** So many worlds are brought to an end under every fate, the others under one each: it takes most of the time. */
const ALL_FATES = 1_000;

export function search(readers: number, slices: number, misfortunes: Misfortunes, fates: readonly Fate[]): Search {
  const start = newWorld(readers, slices, misfortunes);
  const known = new Set([keyOf(start)]);
  const worlds = [start];
  const ways: { readonly from: number; readonly move: string }[] = [{ from: -1, move: "" }];
  const violations = new Map<Invariant, string>();
  const seen = new Set<string>();
  const note = (cause: Violation, at: number, ...more: string[]) => {
    if (!violations.has(cause.invariant)) {
      violations.set(cause.invariant, [cause.message, ...wayTo(ways, at), ...more].join("\n  "));
    }
  };
  for (let at = 0; at < worlds.length; at++) {
    const world = worlds[at];
    if (world === undefined) break;
    seen.add(world.state.phase.is);
    for (const { outcome } of world.readers) if (outcome !== null) seen.add(outcome);
    for (const [index, fate] of fates.entries()) {
      if (at >= ALL_FATES && at % fates.length !== index) continue;
      const violation = attempted(() => settle(world, fate));
      if (violation !== null) note(violation, at, `and then: ${fate}`);
    }
    for (const { name, take } of movesOf(world)) {
      const next = world.clone();
      const violation = attempted(() => take(next));
      if (violation !== null) {
        note(violation, at, name);
        continue;
      }
      const key = keyOf(next);
      if (known.has(key)) continue;
      known.add(key);
      worlds.push(next);
      ways.push({ from: at, move: name });
    }
  }
  return { violations, worlds: worlds.length, seen };
}

/** What a move violates, or null. */
export function attempted(take: () => void): Violation | null {
  try {
    take();
    return null;
  } catch (cause) {
    if (cause instanceof Violation) return cause;
    throw cause;
  }
}

function wayTo(ways: readonly { readonly from: number; readonly move: string }[], end: number): string[] {
  const moves: string[] = [];
  for (let at = end; at > 0; ) {
    const way = ways[at];
    if (way === undefined) break;
    moves.unshift(way.move);
    at = way.from;
  }
  return moves;
}

/** The same for worlds that differ in the time of the day, or in the names of attempts, only. */
function keyOf(world: World): string {
  const { now, state, pull, late } = world;
  const { phase, leftAloneUntil, tombstones } = state;
  // What is over is over.
  const from = (at: number) => Math.max(0, at - now);
  const times =
    phase.is === "idle"
      ? null
      : phase.is === "failed"
        ? { until: from(phase.until), resume: phase.resume === null ? null : timeless(phase.resume, now) }
        : timeless(phase, now);
  const text = JSON.stringify([
    phase.is === "failed" ? [phase.attempt, phase.why] : phase.is,
    times,
    from(leftAloneUntil),
    tombstones.map(({ attempt, at }) => [attempt, from(at)]),
    world.slices,
    world.object,
    world.index,
    world.stranger,
    world.room,
    world.readers.map((reader) => Object.values(reader)),
    Object.values(world.left),
    late.map(({ put, by }) => ["slice" in put ? [put.attempt, put.slice, put.good] : put.attempt, from(by)]),
    world.lender,
    pull === null ? null : [pull.attempt, pull.good, pull.next, pull.aborted],
    pull?.put == null ? null : [pull.put.attempt, pull.put.slice, pull.put.good, from(pull.put.since + STALE_MS)],
    world.put,
    world.drops,
  ]);
  const names = new Map<string, string>();
  return text.replace(/"a(\d+)"/g, (name) => {
    const known = names.get(name) ?? `"${names.size}"`;
    names.set(name, known);
    return known;
  });
}

function timeless(filling: Filling & { notBefore?: number; putAt?: number; since?: number }, now: number): unknown[] {
  const { attempt, stored, reopenings, fetched, room, storedAt, notBefore = 0, putAt = 0, since = 0 } = filling;
  const times = [notBefore, putAt].map((at) => Math.max(0, at - now));
  // Of what began some time ago it matters how long ago, up to a bound.
  const ages = [Math.round((now - storedAt) / (STALE_MS / 2)), since === 0 ? 0 : Math.min(now - since, 120_000)];
  const rest = "puts" in filling ? filling.puts : "slices" in filling ? filling.slices : null;
  return [attempt, stored, reopenings, fetched, room, times, ages, rest];
}
