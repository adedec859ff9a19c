/** What a puller does in a world of ./fill-model.ts, with a client or without: puts, reports, and its moods. */
import * as rules from "../../src/fill/rules.ts";
import { holderBeats, type ModelOptions, type Puller, suffered, type World } from "./fill-model.ts";
import { must } from "./fill-violation.ts";

/** A move that is only computed when it is taken: it may be a violation. */
export interface Offer {
  readonly name: string;
  readonly take: () => World;
}

export type MakeOffer = (name: string, take: () => World) => void;

/** What every puller does, with a client or without. */
export function pullOffers(
  world: World,
  pull: Puller,
  options: ModelOptions,
  offer: MakeOffer,
  change: (next: Puller, to: World) => World,
): void {
  const storing = pull.gate === "let-go" ? pull.inHand : pull.standing === "held";
  const mayPut = storing && pull.next < options.slices;
  if (mayPut && options.puts === 0) {
    offer("stores", () => {
      const [next, to] = put(world, pull);
      const [last, done] = report(to, next);
      return change(last, done);
    });
  } else if (mayPut && pull.unreported.length < options.puts) {
    offer("puts", () => {
      const [next, to] = put(world, pull);
      return change(next, to);
    });
  }
  if (pull.unreported.length > 0) {
    offer("reports", () => {
      const [next, to] = report(world, pull);
      return change(next, to);
    });
  }
  if (pull.mood === "lively" && pull.standing === "held" && pull.gate !== "let-go" && !pull.judged) {
    if (world.left.stall > 0) offer("stalls", () => change({ ...pull, mood: "stalling" }, suffered(world, "stall")));
    if (world.left.silence > 0) {
      offer("falls silent", () => change({ ...pull, mood: "silent" }, suffered(world, "silence")));
    }
  }
}

function put(world: World, pull: Puller): [Puller, World] {
  const current = world.fill?.generation === pull.generation;
  const foreign = current && world.objects[pull.next] !== null;
  const objects =
    current && !foreign
      ? world.objects.map((object, slice) => (slice === pull.next ? pull.good : object))
      : world.objects;
  const unreported = [...pull.unreported, foreign];
  const next = { ...pull, next: pull.next + 1, inHand: false, unreported, sole: pull.sole && !foreign };
  return [next, { ...world, objects }];
}

/** The puller's oldest word that the Fill has not heard, and what it is told for it. */
function report(world: World, pull: Puller): [Puller, World] {
  const [word, ...unreported] = pull.unreported;
  if (word === "release") return [{ ...pull, unreported }, release(world, pull, true)];
  const slice = pull.next - pull.unreported.filter((each) => each !== "release").length;
  const foreign = word === true;
  const ownEnd = !foreign && pull.ownEnd === slice ? slice + 1 : pull.ownEnd;
  const next: Puller = { ...pull, unreported, ownEnd };
  const { fill } = world;
  if (fill?.generation !== pull.generation) return [{ ...next, mood: "lively", standing: "dropped" }, world];
  const state = rules.sliceStored(fill, pull.lease, slice, foreign, world.now);
  // A slice that counted before renews no lease: one that was silent for too long may lose it until its next word.
  const lapsed = state.lease?.id === pull.lease && !rules.isPulled(state, world.now);
  return [standing({ ...next, mood: lapsed ? pull.mood : "lively" }, state), { ...world, fill: state }];
}

export function standing(pull: Puller, state: rules.FillState | null): Puller {
  if (state?.generation !== pull.generation) return { ...pull, standing: "dropped" };
  return { ...pull, standing: state.lease?.id === pull.lease ? "held" : "lost" };
}

/** What a puller makes of what it was told. @returns null when it has ended and said all */
export function goesOn(pull: Puller, slices: number): Puller | null {
  if (pull.judged || pull.gate === "let-go") return pull;
  const stops = pull.standing !== "held" && pull.next < slices;
  // Its client still needs the image, and its gate has seen it from the first byte.
  if (pull.gate === "attached") return stops ? { ...pull, gate: "let-go", inHand: true } : pull;
  const over = stops || (pull.gate === null && pull.next === slices);
  return over && pull.unreported.length === 0 ? null : pull;
}

export function release(world: World, pull: Puller, quiet: boolean): World {
  const { fill } = world;
  if (fill?.generation !== pull.generation) return world;
  return { ...world, fill: rules.released(fill, pull.lease, quiet, world.now) };
}

export function newPuller(lease: string, generation: string, next: number, gated: boolean, good: boolean): Puller {
  return {
    lease,
    generation,
    next,
    unreported: [],
    gate: gated ? "attached" : null,
    inHand: false,
    good,
    sole: gated,
    ownEnd: next,
    judged: false,
    mood: "lively",
    standing: "held",
  };
}

export function mustGrant(world: World, slice: number, options: ModelOptions): void {
  const { fill, now } = world;
  must(fill?.stored === slice, "pull", `told to pull slice ${slice} while ${fill?.stored} are stored`);
  must(slice < options.slices, "pull", "told to pull behind the last slice");
  must(fill?.lease == null || fill.lease.expires <= now, "lease", "a lease is given while another one runs");
  const beats = holderBeats(world);
  must(beats === null, "lease", "a lease is taken from a puller that reports in time");
  const [first, second] = world.mismatches;
  const wrongTwice =
    first !== undefined && second !== undefined && second < first + rules.LEFT_ALONE_MS && (fill?.mismatches ?? 0) > 1;
  must(!wrongTwice || now >= second + rules.LEFT_ALONE_MS, "left-alone", "an image that is left alone is pulled");
}
