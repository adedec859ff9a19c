/** Searches all worlds of ./fill-model.ts that can be reached, breadth first, each once; so a trace is a shortest one. */
import { keyOf } from "./fill-key.ts";
import { type ModelOptions, newWorld, type World } from "./fill-model.ts";
import { offers } from "./fill-moves.ts";
import { type Invariant, Violation } from "./fill-violation.ts";

export interface Search {
  /** The shortest way to the first violation of each invariant. */
  readonly violations: ReadonlyMap<Invariant, string>;
  readonly worlds: readonly World[];
  /** Each way that a client ended; `detached` in front if it was detached from its own pull before. */
  readonly outcomes: ReadonlySet<string>;
}

export function search(options: ModelOptions): Search {
  const start = newWorld(options);
  const seen = new Set([keyOf(start, options.stallMs)]);
  const worlds = [start];
  const ways: { readonly from: number; readonly move: string }[] = [{ from: -1, move: "" }];
  const violations = new Map<Invariant, string>();
  const outcomes = new Set<string>();
  for (let at = 0; at < worlds.length; at++) {
    const world = worlds[at];
    if (world === undefined) break;
    for (const offer of offers(world, options)) {
      const next = taken(offer.take);
      if (next instanceof Violation) {
        if (!violations.has(next.invariant)) {
          violations.set(next.invariant, [next.message, ...wayTo(ways, at), offer.name].join("\n  "));
        }
        continue;
      }
      for (const { outcome, detached } of next.readers)
        outcomes.add(detached === null ? outcome : `detached ${outcome}`);
      const key = keyOf(next, options.stallMs);
      if (seen.has(key)) continue;
      seen.add(key);
      worlds.push(next);
      ways.push({ from: at, move: offer.name });
    }
  }
  return { violations, worlds, outcomes };
}

/** The world after a move, or what it violates. */
export function taken(take: () => World): World | Violation {
  try {
    return take();
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
