/**
 * A reader of ./fill-model.ts asks for its turn. The rules' answer is held against what the world knows and they do not,
 * and the reader does what src/download/shared.ts does with it.
 */
import * as rules from "../../src/fill/rules.ts";
import {
  askOf,
  at,
  begun,
  dropped,
  end,
  type ModelOptions,
  type Reader,
  suffered,
  type World,
  withReader,
} from "./fill-model.ts";
import { mustGrant, newPuller, release } from "./fill-pull.ts";
import { must } from "./fill-violation.ts";

/** @param good what the origin gives, should the reader be told to pull */
export function ask(before: World, index: number, options: ModelOptions, good: boolean): World {
  const reader = at(before, index);
  const question = askOf(reader, index, options.slices);
  if (before.fill === null && question.generation !== null) return askAfterTheEnd(before, index, options);
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
      return goAlone(next, index, world.objects);
    case "finish":
      must(fill.stored === fill.slices, "finish", "finish before all slices are stored");
      must(world.proven && world.objects.every((object) => object === true), "finish", "finish without a proof");
      return finish(next, index);
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
      // A reader could go on handing on and coming back for ever, with all its pulls' last words under way.
      if (reader.pulls.length > 1) return before;
      const gated = answer.slice === 0 && !reader.some;
      const pull = newPuller(lease, fill.generation, answer.slice, gated, good);
      const granted = { ...next, leases: world.leases + 1, followed: world.followed || answer.slice > 0 };
      if (!gated && reader.failed) return end(release(granted, pull, false), index, "failed");
      const took = withReader(granted, index, {
        phase: gated ? "served" : "asking",
        generation: fill.generation,
        pulls: [...reader.pulls, pull],
      });
      return good ? took : suffered(took, "wrong");
    }
    case "wait":
      return next;
  }
}

/** A finished or stopped fill is forgotten: the catalog may know what the reader has bytes of. */
function askAfterTheEnd(world: World, index: number, { slices }: ModelOptions): World {
  const reader = at(world, index);
  if (reader.generation !== world.catalog) return goAlone(world, index, []);
  if (askOf(reader, index, slices).need.what === "verdict") return finish(world, index);
  return withReader(world, index, { position: slices - 1, some: true, lastIsStored: true });
}

/**
 * What a client got from a pull of its own before it was detached counts as stored only where that pull stored it: the
 * reader's last check before anything that speaks for the store speaks for its client.
 */
function hasStoredBytes({ detached }: Reader): boolean {
  return detached === null || detached.need <= detached.ownEnd;
}

function finish(world: World, index: number): World {
  const reader = at(world, index);
  if (!hasStoredBytes(reader)) return end(world, index, "refused");
  must(reader.clean, "clean", "finish for a client that has wrong bytes");
  return end(world, index, "done");
}

/** From the origin, behind a gate that digests what the client has already out of the store. The origin gives all. */
function goAlone(world: World, index: number, stored: readonly (boolean | null)[]): World {
  const reader = at(world, index);
  if (!reader.some) return end(world, index, "alone");
  if (!hasStoredBytes(reader)) return end(world, index, "refused");
  const read = stored.slice(0, Math.max(reader.position, reader.detached?.need ?? 0));
  if (read.length === 0) return end(world, index, "forgotten");
  if (!read.every((object) => object === true)) return end(world, index, "cut");
  must(reader.clean, "clean", "a client that has wrong bytes is finished alone");
  return end(world, index, "alone");
}

/** A slice that should be there is not: the generation is given up, and its reader goes on alone. */
export function missSlice(world: World, index: number, options: ModelOptions): World {
  const question = askOf(at(world, index), index, options.slices);
  if (world.fill === null || world.fill.stored === 0 || world.fill.committedAt !== null) return world;
  if (question.generation !== null && question.generation !== world.fill.generation) return world;
  return goAlone(dropped(suffered(world, "lost"), world.fill), index, world.objects);
}

function mustBeLeftAlone({ mismatches, now }: World): void {
  const [first, second] = mismatches;
  must(first !== undefined && second !== undefined, "left-alone", "left alone after fewer than two mismatches");
  must(now < (second ?? 0) + rules.LEFT_ALONE_MS, "left-alone", "left alone for too long");
  must((second ?? 0) < (first ?? 0) + rules.LEFT_ALONE_MS, "left-alone", "left alone for a mismatch long ago");
}
