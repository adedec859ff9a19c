/** What happens in a world of ./fill-model.ts without a reader: the alarm, its pull, the read-back, and time. */
import * as rules from "../../src/fill/rules.ts";
import { begun, disagreed, holderBeats, type ModelOptions, type Puller, suffered, type World } from "./fill-model.ts";
import { goesOn, type MakeOffer, mustGrant, newPuller, pullOffers, release, standing } from "./fill-pull.ts";
import { STALE_MS } from "./fill-states.ts";
import { must } from "./fill-violation.ts";

/** The alarm, the background's own pull, and the read-back. */
export function backgroundOffers(world: World, options: ModelOptions, offer: MakeOffer): void {
  const { fill, background } = world;
  // What is left alone is postponed until it is not.
  const postponed = fill !== null && fill.committedAt === null && rules.isLeftAlone(fill, world.now);
  if (world.turns > 0 && !world.claimed && !postponed) offer("the image's turn comes", () => turnCame(world, options));
  if (background !== null) {
    const change = (next: Puller, to: World) => withBackground(to, next, options);
    pullOffers(world, background, options, (what, take) => offer(`background ${what}`, take), change);
    if (world.left.failure > 0) {
      offer("background fails", () => {
        const failed = suffered(release(world, background, false), "failure");
        return { ...failed, background: null, fill: setBack(failed, background.generation) };
      });
    }
  }
  if (world.verifying !== null) {
    offer("read-back ends", () => readBack(world));
    if (world.left.failure > 0) {
      const { verifying } = world;
      offer("read-back fails", () => {
        const failed = suffered(world, "failure");
        return { ...failed, verifying: null, fill: setBack(failed, verifying) };
      });
    }
    return;
  }
  if (fill === null) return;
  const task = rules.duty(fill, world.now, STALE_MS);
  if (world.followed && fill.stored === fill.slices && fill.committedAt === null && task.do !== "verify") {
    offer("read-back follows", () => ({ ...world, verifying: fill.generation }));
  }
  if (background !== null || task.do === "wait") return;
  if (task.do === "fill" && world.left.failure > 0) {
    offer("alarm: nobody's rights", () => ({ ...suffered(world, "failure"), fill: rules.exhausted(fill) }));
  }
  // Only of one that begins by itself: one that goes on is wrong as whoever began is.
  if (task.do === "fill" && fill.stored === 0 && world.left.wrong > 0) {
    offer("alarm: fill, wrong", () => suffered(fillInBackground(world, options, false), "wrong"));
  }
  offer(`alarm: ${task.do}`, () => {
    if (task.do === "forget") return forgotten(world, fill);
    if (task.do === "verify") return { ...world, verifying: fill.generation };
    if (task.do === "give-up") return { ...world, claimed: false, fill: rules.givenUp(fill) };
    return fillInBackground(world, options, true);
  });
}

/** As the watchdog begins to fetch a queued image. */
function turnCame(before: World, { slices }: ModelOptions): World {
  const world = { ...before, turns: before.turns - 1 };
  const to = world.fill === null ? begun(world, slices, null) : world;
  if (to.fill === null || to.fill.committedAt !== null) return world;
  return { ...to, claimed: true, fill: rules.wanted(to.fill, world.now) };
}

function fillInBackground(world: World, options: ModelOptions, good: boolean): World {
  const { fill } = world;
  if (fill === null) return world;
  const lease = `lease ${world.leases}`;
  const question = { reader: "background", generation: null, need: { what: "slice", slice: fill.stored } } as const;
  const { state, answer } = rules.answer(fill, question, lease, world.now, options.stallMs);
  must(answer.do === "pull", "background", `the background is to fill and told ${answer.do}: it would ask for ever`);
  mustGrant(world, fill.stored, options);
  const pull = newPuller(lease, fill.generation, fill.stored, false, good);
  const followed = world.followed || fill.stored > 0;
  return { ...world, fill: state, background: pull, leases: world.leases + 1, followed };
}

function forgotten(world: World, fill: rules.FillState): World {
  const catalog = fill.committedAt === null ? world.catalog : fill.generation;
  return { ...world, fill: null, objects: [], proven: false, followed: false, catalog };
}

/** The background's pull goes on, or ends: with all stored, or else it got nowhere. */
function withBackground(world: World, pull: Puller, { slices }: ModelOptions): World {
  const next = goesOn(pull, slices);
  if (next !== null) return { ...world, background: next };
  const stored = pull.next === slices && pull.standing !== "dropped";
  return { ...world, background: null, fill: stored ? world.fill : setBack(world, pull.generation) };
}

function setBack({ fill, now }: World, generation: string): rules.FillState | null {
  return fill?.generation === generation ? rules.setBack(fill, now) : fill;
}

function readBack(before: World): World {
  const world = { ...before, verifying: null };
  const { fill } = world;
  if (fill === null || fill.generation !== before.verifying) return world;
  must(fill.stored === fill.slices, "commit", "a read-back ended before all was stored");
  if (!world.objects.every((object) => object === true)) return disagreed(world, fill.generation);
  // The commit takes the image out of the queue as well.
  return { ...world, proven: true, mismatches: [], claimed: false, fill: rules.committed(fill, world.now) };
}

/** Time passes until the next thing that a rule can notice. Who lives reports meanwhile. */
export function timeOffer(world: World, options: ModelOptions, offer: MakeOffer): void {
  const { fill, now } = world;
  if (fill === null) return;
  const beating = holderBeats(world);
  const task = rules.duty(fill, now, STALE_MS);
  const times = [
    beating === null && fill.lease !== null ? fill.lease.expires : 0,
    beating?.mood === "lively" ? 0 : fill.progressAt + options.stallMs,
    beating === null && task.do === "wait" ? task.until : 0,
    fill.mismatches > 0 ? fill.mismatchedAt + rules.LEFT_ALONE_MS : 0,
  ].filter((time) => time > now);
  if (times.length === 0 && beating === null) return;
  // With nothing to notice, a sign of life is all that happens.
  const then = times.length === 0 ? now : Math.min(...times);
  offer(`${then - now} ms pass`, () => {
    const beaten =
      beating === null
        ? fill
        : rules.alive(fill, beating.lease, fill.received + (beating.mood === "lively" ? 1 : 0), then);
    const heard = (puller: Puller) =>
      puller.mood === "silent" || puller.gate === "let-go" ? puller : standing(puller, beaten);
    const readers = world.readers.map((reader) => {
      if (reader.pulls.length === 0) return reader;
      const pulls = reader.pulls.map((each) => goesOn(heard(each), options.slices));
      return { ...reader, pulls: pulls.filter((each) => each !== null) };
    });
    const later = { ...world, now: then, fill: beaten, readers };
    return world.background === null ? later : withBackground(later, heard(world.background), options);
  });
}
