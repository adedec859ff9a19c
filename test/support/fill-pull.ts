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
  const mayPut = pull.standing === "held" && pull.next < options.slices;
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
  if (pull.mood === "lively" && pull.standing === "held") {
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
  const next = { ...pull, next: pull.next + 1, unreported: [...pull.unreported, foreign], sole: pull.sole && !foreign };
  return [next, { ...world, objects }];
}

function report(world: World, pull: Puller): [Puller, World] {
  const slice = pull.next - pull.unreported.length;
  const [foreign, ...unreported] = pull.unreported;
  const next: Puller = { ...pull, unreported, mood: "lively" };
  const { fill } = world;
  if (fill?.generation !== pull.generation) return [{ ...next, standing: "dropped" }, world];
  const state = rules.sliceStored(fill, pull.lease, slice, foreign === true, world.now);
  return [standing(next, state), { ...world, fill: state }];
}

export function standing(pull: Puller, state: rules.FillState | null): Puller {
  if (state?.generation !== pull.generation) return { ...pull, standing: "dropped" };
  return { ...pull, standing: state.lease?.id === pull.lease ? "held" : "lost" };
}

export function release(world: World, pull: Puller, quiet: boolean): World {
  const { fill } = world;
  if (fill?.generation !== pull.generation) return world;
  return { ...world, fill: rules.released(fill, pull.lease, quiet, world.now) };
}

export function newPuller(lease: string, generation: string, next: number, gated: boolean, good: boolean): Puller {
  return { lease, generation, next, unreported: [], gated, good, sole: next === 0, mood: "lively", standing: "held" };
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
