/**
 * What can happen next in a world of ./fill-model.ts: every move of every reader, of its pulls, of the background and of
 * time. Whatever must never be is a violation.
 */
import * as rules from "../../src/fill/rules.ts";
import { ask, missSlice } from "./fill-ask.ts";
import { backgroundOffers, timeOffer } from "./fill-background.ts";
import {
  at,
  disagreed,
  end,
  type ModelOptions,
  type Puller,
  pullers,
  suffered,
  type World,
  withReader,
} from "./fill-model.ts";
import { goesOn, type MakeOffer, type Offer, pullOffers, release } from "./fill-pull.ts";
import { must } from "./fill-violation.ts";

/**
 * All that can happen next. That somebody goes away while it pulls nothing is no move: it just never moves again. One
 * that leaves while it pulls gives the lease back first.
 */
export function offers(world: World, options: ModelOptions): Offer[] {
  const all: Offer[] = [];
  const offer = (name: string, take: () => World) => all.push({ name, take: () => checked(world, take()) });
  for (const [index, reader] of world.readers.entries()) {
    const name = `reader ${index}`;
    if (reader.phase === "asking") {
      offer(`${name} asks`, () => ask(world, index, options, true));
      if (world.left.wrong > 0) offer(`${name} asks, wrong`, () => ask(world, index, options, false));
      if (world.left.lost > 0) offer(`${name} misses a slice`, () => missSlice(world, index, options));
    }
    if (reader.pulls.length > 0) {
      offer(`${name} dies`, () => withReader(end(world, index, "dead"), index, { pulls: [] }));
    }
    for (const pull of reader.pulls) {
      const which = reader.phase === "asking" ? `${name}'s pull` : name;
      readerPullOffers(world, index, pull, options, (what, take) => offer(`${which} ${what}`, take));
    }
  }
  backgroundOffers(world, options, offer);
  timeOffer(world, options, offer);
  return all;
}

/** What a reader's pull does. */
function readerPullOffers(world: World, index: number, pull: Puller, options: ModelOptions, offer: MakeOffer): void {
  const change = (next: Puller | null, to: World) => withPull(to, index, pull, next, options);
  pullOffers(world, pull, options, offer, change);
  const held = pull.standing === "held";
  if (pull.judged) {
    // What is right is told once all is stored and reported, what is wrong at once.
    if (!pull.good || pull.unreported.length === 0) offer("tells its verdict", () => change(null, told(world, pull)));
  } else if (pull.gate === "let-go") {
    offer("ends alone", () => through(world, index, pull, change));
  } else if (pull.gate !== null && pull.next === options.slices) {
    offer("is through", () => through(world, index, pull, change));
  } else if (pull.gate === "attached") {
    offer("leaves", () => change(gaveBack(pull), end(release(world, pull, false), index, "left")));
    if (world.left.slow > 0) offer("lets go", () => letGo(suffered(world, "slow"), pull, options, change));
    if (held && world.left.blocked > 0) {
      offer("is detached", () => detach(suffered(world, "blocked"), index, pull, options));
    }
  } else if (held) {
    offer("hands on", () => change(gaveBack(pull), release(world, pull, false)));
    if (world.left.failure > 0) offer("fails", () => fail(suffered(world, "failure"), index, pull, change));
  }
}

type Change = (next: Puller | null, to: World) => World;

/** The reader with one of its pulls changed, or gone. What a detached pull stored is known to the reader ever after. */
function withPull(world: World, index: number, pull: Puller, changed: Puller | null, options: ModelOptions): World {
  const reader = at(world, index);
  const next = changed === null ? null : goesOn(changed, options.slices);
  const pulls = reader.pulls.flatMap((each) => (each.lease !== pull.lease ? [each] : next === null ? [] : [next]));
  const { detached } = reader;
  if (detached === null || pull.gate !== "detached" || changed === null) return withReader(world, index, { pulls });
  return withReader(world, index, { pulls, detached: { ...detached, ownEnd: changed.ownEnd } });
}

/** A puller without its lease, which only has to say what it has not said yet. */
function gaveBack(pull: Puller): Puller {
  return { ...pull, gate: pull.gate === "detached" ? "detached" : null, standing: "lost" };
}

function fail(world: World, index: number, pull: Puller, change: Change): World {
  const to = change(gaveBack(pull), release(world, pull, true));
  return pull.gate === null ? withReader(to, index, { failed: true }) : to;
}

/** The lease is given back behind all reports that are under way, and in front of that of the slice in hand. */
function letGo(world: World, pull: Puller, { puts }: ModelOptions, change: Change): World {
  const next: Puller = { ...pull, gate: "let-go", inHand: true };
  if (puts === 0) return change(next, release(world, pull, true));
  return change({ ...next, unreported: [...pull.unreported, "release"] }, world);
}

/** The chunk that the client does not take is on its way to it: it has bytes of the slice that is being read. */
function detach(world: World, index: number, pull: Puller, options: ModelOptions): World {
  const to = withPull(world, index, pull, { ...pull, gate: "detached" }, options);
  return withReader(to, index, {
    phase: "asking",
    position: Math.min(pull.next, options.slices - 1),
    some: true,
    clean: pull.good,
    detached: { need: pull.next + 1, ownEnd: pull.ownEnd },
  });
}

/** The image's end: the gate has its verdict now, and with it a client that is attached. */
function through(world: World, index: number, pull: Puller, change: Change): World {
  const to = pull.good ? world : release(world, pull, true);
  const judged = change({ ...pull, judged: true }, to);
  if (pull.gate === "detached" || at(world, index).phase !== "served") return judged;
  return end(judged, index, pull.good ? "done" : "cut");
}

function told(world: World, pull: Puller): World {
  const { fill } = world;
  const quieted =
    pull.gate === "let-go" && fill?.generation === pull.generation
      ? { ...world, fill: rules.quiet(fill, true, world.now) }
      : world;
  if (!pull.good) return disagreed(quieted, pull.generation);
  if (fill?.generation !== pull.generation || pull.gate === "let-go" || pull.standing === "dropped") return quieted;
  const state = rules.gateAgreed(fill, pull.lease);
  const agreed = state.verdict === "agreed" && fill.verdict !== "agreed";
  must(!agreed || (pull.sole && pull.next === fill.slices), "finish", "a gate spoke for slices that others stored");
  return { ...world, fill: state, proven: world.proven || agreed };
}

/** What must hold in each world, and from each to the next. */
function checked(before: World, after: World): World {
  const [was, is] = [before.fill, after.fill];
  const atWork = is?.wanted === true && is.committedAt === null;
  must(after.claimed === atWork, "place", after.claimed ? "it hangs" : "it is fetched without one");
  if (is === null) return after;
  if (was?.generation === is.generation) {
    const grown = is.stored - was.stored;
    must(grown === 0 || grown === 1, "stored", `stored went from ${was.stored} to ${is.stored}`);
    must(was.verdict !== "agreed" || is.verdict === "agreed", "finish", "a verdict was taken back");
  } else {
    must(was?.committedAt == null, "commit", "a committed fill was given up");
  }
  const whole = after.objects.slice(0, is.stored).every((object) => object !== null);
  must(whole, "stored", "what is stored has a hole");
  must(is.verdict !== "agreed" || after.proven, "finish", "a verdict without a proof");
  must(
    is.committedAt === null || after.objects.every((object) => object === true),
    "commit",
    "a wrong image committed",
  );
  const holders = pullers(after).filter((puller) => puller.lease === is.lease?.id);
  must(holders.length <= 1, "lease", "two hold one lease");
  return after;
}
