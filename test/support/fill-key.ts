/** Which worlds of ./fill-model.ts are one and the same for a search. */
import * as rules from "../../src/fill/rules.ts";
import type { Puller, World } from "./fill-model.ts";
import { STALE_MS } from "./fill-states.ts";

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
          puller.gate,
          puller.inHand,
          puller.good,
          puller.sole,
          puller.gate === "attached" || puller.gate === "detached" ? puller.ownEnd : 0,
          puller.judged,
          puller.mood,
          puller.standing,
        ];
  const readers = world.readers.map((reader) =>
    reader.phase === "ended"
      ? JSON.stringify(reader.pulls.map(pull))
      : JSON.stringify([
          reader.phase,
          reader.generation === null ? 0 : reader.generation === fill?.generation ? 1 : 2,
          reader.generation !== null && reader.generation === world.catalog,
          reader.generation !== null && world.dropped.includes(reader.generation),
          reader.position,
          reader.some,
          reader.lastIsStored,
          reader.clean,
          reader.pulls.map(pull),
          reader.detached,
          reader.failed,
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
          fill.committedAt === null ? age(fill.progressAt, stallMs, rules.LINGER_MS) : 0,
          fill.committedAt === null ? age(fill.storedAt, STALE_MS) : 0,
          fill.mismatches,
          fill.mismatches === 0 ? 0 : age(fill.mismatchedAt, rules.LEFT_ALONE_MS),
          Math.min(fill.setbacks, 7),
          fill.committedAt === null ? rest(fill.quietUntil) : 0,
          fill.wanted,
        ],
    world.objects,
    world.proven,
    readers.sort(),
    pull(world.background),
    world.verifying === null ? 0 : world.verifying === fill?.generation ? 1 : 2,
    world.followed,
    world.mismatches.length,
    world.turns,
    world.claimed,
    world.left,
  ]);
}
