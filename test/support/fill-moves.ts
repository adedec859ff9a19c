/**
 * What can happen next in a world of ./fill-model.ts: every move of every reader, of the background and of time. Each
 * answer of the rules is held against what the world knows and the rules do not; whatever must never be is a violation.
 */
import * as rules from "../../src/fill/rules.ts";
import { backgroundOffers, timeOffer } from "./fill-background.ts";
import {
  askOf,
  begun,
  disagreed,
  dropped,
  type ModelOptions,
  type Puller,
  pullers,
  type Reader,
  suffered,
  type World,
  withReader,
} from "./fill-model.ts";
import { mustGrant, newPuller, type Offer, pullOffers, release } from "./fill-pull.ts";
import { must } from "./fill-violation.ts";

/**
 * All that can happen next. That somebody goes away while it holds no lease is no move: it just never moves again. One
 * that leaves while it pulls hands on first.
 */
export function offers(world: World, options: ModelOptions): Offer[] {
  const all: Offer[] = [];
  const offer = (name: string, take: () => World) => all.push({ name, take: () => checked(world, take()) });
  for (const [index, reader] of world.readers.entries()) {
    const name = `reader ${index}`;
    if (reader.phase === "ended") continue;
    if (reader.phase === "asking") {
      offer(`${name} asks`, () => ask(world, index, options, true));
      if (world.left.wrong > 0) offer(`${name} asks, wrong`, () => ask(world, index, options, false));
      if (world.left.lost > 0) offer(`${name} misses a slice`, () => missSlice(world, index, options));
    }
    const { pull } = reader;
    if (pull === null) continue;
    if (reader.phase === "let-go") offer(`${name} ends alone`, () => judge(quieted(world, pull), index));
    if (reader.phase === "judged") offer(`${name} tells its verdict`, () => tellVerdict(world, index));
    if (reader.phase !== "pulling") continue;
    const change = (next: Puller, to: World) => withReader(to, index, { pull: next });
    pullOffers(world, pull, options, (what, take) => offer(`${name} ${what}`, take), change);
    offer(`${name} dies`, () => end(world, index, "dead"));
    if (pull.unreported.length === 0 && pull.next === options.slices && pull.standing !== "dropped") {
      offer(`${name} is through`, () => through(world, index, options));
    } else if (pull.unreported.length === 0 && pull.standing !== "held") {
      offer(`${name} stops`, () => stop(world, index, options));
    } else if (pull.standing === "held") {
      offer(`${name} hands on`, () => handOn(release(world, pull, false), index, options));
      if (pull.gated && world.left.slow > 0) offer(`${name} lets go`, () => letGo(world, index, pull));
    }
  }
  backgroundOffers(world, options, offer);
  timeOffer(world, options, offer);
  return all;
}

function quieted(world: World, pull: Puller): World {
  const { fill } = world;
  return fill?.generation === pull.generation ? { ...world, fill: rules.quiet(fill, true, world.now) } : world;
}

function end(world: World, index: number, outcome: string): World {
  return withReader(world, index, { phase: "ended", outcome, pull: null });
}

/** What a client has of its own pull: all but the last slice, which is held back; more than was stored of it. */
function delivered(reader: Reader, options: ModelOptions): Partial<Reader> {
  const { pull } = reader;
  if (pull === null) return {};
  const position = Math.max(reader.position, Math.min(pull.next, options.slices - 1));
  // A pull brings bytes before its first slice is whole, unless all there is left is held back.
  const took = pull.gated || reader.position < options.slices - 1;
  return { position, some: reader.some || took, clean: reader.clean && (pull.good || !took) };
}

function handOn(world: World, index: number, options: ModelOptions): World {
  const reader = at(world, index);
  return withReader(world, index, { ...delivered(reader, options), phase: "asking", pull: null });
}

function letGo(world: World, index: number, pull: Puller): World {
  return withReader(suffered(release(world, pull, true), "slow"), index, { phase: "let-go" });
}

/** A puller whose lease is lost reads on; one whose generation is gone goes on alone if its own gate saw all. */
function stop(world: World, index: number, options: ModelOptions): World {
  const { pull } = at(world, index);
  if (pull?.standing === "lost") return handOn(world, index, options);
  return pull?.gated === true ? withReader(world, index, { phase: "let-go" }) : end(world, index, "cut");
}

/** The image's end: a gate of its own has its verdict now, others wait for the fill's. */
function through(world: World, index: number, options: ModelOptions): World {
  const { pull } = at(world, index);
  if (pull?.gated !== true) return handOn(world, index, options);
  return judge(pull.good ? world : release(world, pull, false), index);
}

function judge(world: World, index: number): World {
  return withReader(world, index, {
    phase: "judged",
    outcome: at(world, index).pull?.good === true ? "right" : "wrong",
  });
}

function tellVerdict(world: World, index: number): World {
  const { pull } = at(world, index);
  const { fill } = world;
  if (pull === null) throw new Error("a verdict without a pull");
  if (!pull.good) return end(disagreed(world, pull.generation), index, "cut");
  if (fill?.generation !== pull.generation) return end(world, index, "done");
  const state = rules.gateAgreed(fill, pull.lease);
  const agreed = state.verdict === "agreed" && fill.verdict !== "agreed";
  const bySole = pull.sole && pull.next === fill.slices;
  must(!agreed || bySole, "finish", "a gate spoke for slices that others stored");
  return end({ ...world, fill: state, proven: world.proven || agreed }, index, "done");
}

function missSlice(world: World, index: number, options: ModelOptions): World {
  const ask = askOf(at(world, index), index, options.slices);
  if (world.fill === null || world.fill.stored === 0 || world.fill.committedAt !== null) return world;
  if (ask.generation !== null && ask.generation !== world.fill.generation) return world;
  return end(dropped(suffered(world, "lost"), world.fill), index, "alone");
}

function ask(before: World, index: number, options: ModelOptions, good: boolean): World {
  const reader = at(before, index);
  const question = askOf(reader, index, options.slices);
  // A finished or stale fill is forgotten: whoever has bytes of it is not the rules' matter any more.
  if (before.fill === null && question.generation !== null) return end(before, index, "forgotten");
  const world = before.fill === null ? begun(before, options.slices, null) : before;
  const { fill } = world;
  if (fill === null) throw new Error("no fill was begun");
  const lease = `lease ${world.leases}`;
  const { state, answer } = rules.answer(fill, question, lease, world.now, options.stallMs);
  const next: World = { ...world, fill: state };
  const old = question.generation !== null && question.generation !== fill.generation;
  must(!old || answer.do === "cut", "cut", `a reader with bytes of a dropped generation is told ${answer.do}`);
  switch (answer.do) {
    case "cut":
      must(old, "cut", "a reader is cut while its generation lives");
      return end(next, index, "cut");
    case "alone":
      if (answer.why === "left-alone") mustBeLeftAlone(world);
      return end(next, index, "alone");
    case "finish": {
      must(fill.stored === fill.slices, "finish", "finish before all slices are stored");
      must(world.proven && world.objects.every((object) => object === true), "finish", "finish without a proof");
      must(reader.clean, "clean", "finish for a client that has wrong bytes");
      return end(next, index, "done");
    }
    case "read": {
      must(answer.stored === fill.stored, "stored", "read beyond what is stored");
      const position = Math.max(reader.position, Math.min(answer.stored, options.slices - 1));
      const fresh = world.objects.slice(reader.position, position);
      return withReader(next, index, {
        generation: answer.generation,
        position,
        some: reader.some || position > 0,
        lastIsStored: answer.stored === options.slices,
        clean: reader.clean && fresh.every((object) => object === true),
      });
    }
    case "pull": {
      mustGrant(world, answer.slice, options);
      const gated = answer.slice === 0 && !reader.some;
      const pull = newPuller(lease, fill.generation, answer.slice, gated, good);
      const took = withReader(next, index, { phase: "pulling", generation: fill.generation, pull });
      const granted = { ...took, leases: world.leases + 1, followed: world.followed || answer.slice > 0 };
      return good ? granted : suffered(granted, "wrong");
    }
    case "wait":
      return next;
  }
}

function mustBeLeftAlone({ mismatches, now }: World): void {
  const [first, second] = mismatches;
  must(first !== undefined && second !== undefined, "left-alone", "left alone after fewer than two mismatches");
  must(now < (second ?? 0) + rules.LEFT_ALONE_MS, "left-alone", "left alone for too long");
  must((second ?? 0) < (first ?? 0) + rules.LEFT_ALONE_MS, "left-alone", "left alone for a mismatch long ago");
}

/** What must hold in each world, and from each to the next. */
function checked(before: World, after: World): World {
  const [was, is] = [before.fill, after.fill];
  if (is === null) return after;
  if (was?.generation === is.generation) {
    const grown = is.stored - was.stored;
    must(grown === 0 || grown === 1, "stored", `stored went from ${was.stored} to ${is.stored}`);
    must(was.verdict !== "agreed" || is.verdict === "agreed", "finish", "a verdict was taken back");
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

function at(world: World, index: number): Reader {
  const reader = world.readers[index];
  if (reader === undefined) throw new Error(`there is no reader ${index}`);
  return reader;
}
