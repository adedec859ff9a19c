/** All that can happen next in a world of ./fill-model.ts, and how one in which nothing more goes wrong comes to its end. */
import { duty } from "../../src/fill/object/duty.ts";
import { type Misfortune, PUT_MS, type Pull, STALE_MS, type World } from "./fill-model.ts";
import { must } from "./fill-violation.ts";

export interface Move {
  readonly name: string;
  /** On a copy. @throws Violation */
  readonly take: (world: World) => void;
}

export function movesOf(world: World): Move[] {
  const moves: Move[] = [];
  const add = (name: string, take: (world: World) => void) => void moves.push({ name, take });
  const may = (kind: Misfortune, take: (world: World) => void) => {
    if (world.left[kind] === 0) return;
    add(kind, (next) => {
      next.left[kind]--;
      take(next);
    });
  };
  readerMoves(world, add, may);
  pullMoves(world, add, may);
  if (world.put !== null) {
    add("the put lands", (next) => next.putEnded("landed"));
    may("answer-lost", (next) => next.putEnded("answer-lost"));
    // A put whose slices are dropped breaks by itself.
    if (world.slices[world.put] === undefined) add("the put breaks", (next) => next.putEnded("failed"));
    else may("put-fails", (next) => next.putEnded("failed"));
  }
  for (const [index, { put }] of world.late.entries()) {
    const lands = (next: World) => {
      const late = next.late[index];
      if (late !== undefined) next.lateLands(late);
    };
    add(`a forgotten put of ${put.attempt} lands`, lands);
    add(`a forgotten put of ${put.attempt} fails`, (next) => next.late.splice(index, 1));
  }
  if (world.object !== null) may("object-lost", (next) => next.loseObject());
  if (world.state.phase.is !== "idle" || world.object !== null)
    may("stop", (next) => next.apply({ on: "stop", read: false }));
  if (world.pull !== null || world.put !== null || world.lender !== null) may("restart", (next) => next.restart());
  if (alarmMayRing(world)) add("the alarm", (next) => void next.alarm());
  return moves;
}

type Add = (name: string, take: (world: World) => void) => void;
type May = (kind: Misfortune, take: (world: World) => void) => void;

function readerMoves(world: World, add: Add, may: May): void {
  for (const [index, { outcome, next }] of world.readers.entries()) {
    if (outcome !== null) continue;
    add(`reader ${index}: ${next}`, (then) => readerGoesOn(then, index));
    may("leave", (then) => {
      const reader = then.readers[index];
      if (reader !== undefined) reader.outcome = "left";
    });
  }
}

function readerGoesOn(world: World, index: number): void {
  const reader = world.readers[index];
  if (reader === undefined) return;
  if (reader.next === "ask") world.ask(index);
  else if (reader.next === "send") world.send(reader);
  else world.open(reader);
}

function pullMoves(world: World, add: Add, may: May): void {
  const { pull } = world;
  if (pull === null) return;
  if (pull.put !== null) {
    add("the slice is stored", (next) => next.pull !== null && next.sliceStored(next.pull));
    may("hang", (next) => next.pull !== null && next.hang(next.pull));
    return;
  }
  if (pull.aborted) return;
  add("a slice is put", (next) => next.pull !== null && next.beginSlice(next.pull));
  const at = (take: (next: World, pull: Pull) => void) => (next: World) => {
    if (next.pull !== null) take(next, next.pull);
  };
  const wrong = at((_, mine) => {
    mine.good = false;
  });
  const fails = at((next, { attempt }) => next.apply({ on: "failed", attempt, why: "store-unavailable", keep: false }));
  if (pull.good) may("wrong", wrong);
  may("store-fails", fails);
  may("break", (next) => next.pull !== null && next.break(next.pull));
  may("refuse", (next) => next.refuse());
  may("no-room", (next) => {
    next.room = next.room.filter((name) => name !== pull.attempt);
    next.apply({ on: "room", attempt: pull.attempt, answer: "denied" });
  });
}

/** Not so late that a put which nobody remembers would outlive the time that is reckoned with. */
function alarmMayRing(world: World): boolean {
  const due = duty(world.state, STALE_MS, world.now);
  if (due.do === "forget") return world.state.phase.is !== "idle" || world.state.leftAloneUntil > 0;
  if (due.do === "wait") return due.until < Math.min(...world.late.map(({ by }) => by), putEnds(world));
  if (due.do === "pull") return world.pull === null && (world.lender !== null || world.late.length === 0);
  if (due.do === "put") return world.put === null;
  // The Fill waits for the pull's end first.
  if (due.do === "bury") return due.attempts.some((attempt) => attempt !== world.put && !mayStillBePut(world, attempt));
  return true;
}

/** By when the pull's put has ended. */
function putEnds({ pull }: World): number {
  return (pull?.put?.since ?? Number.POSITIVE_INFINITY) + PUT_MS;
}

function mayStillBePut({ pull, late }: World, attempt: string): boolean {
  return pull?.attempt === attempt || late.some(({ put }) => put.attempt === attempt);
}

/** What the origin and the store do from some moment on, each time. */
export type Fate = "right" | "wrong" | "break" | "hang" | "refuse";

/** How a world ends in which nothing goes wrong any more but what a fate says. @throws Violation */
export function settle(start: World, fate: Fate): void {
  const world = start.clone();
  for (let rounds = 0; ; rounds++) {
    must(rounds < 300, "ends", `with an origin or a store that is ${fate} it never ends`);
    for (const late of [...world.late]) world.lateLands(late);
    goOnPulling(world, fate);
    if (world.put !== null) world.putEnded("landed");
    let moved = false;
    for (const [index, { outcome, next }] of world.readers.entries()) {
      if (outcome !== null) continue;
      // One who asks and is told nothing new waits for time to go on.
      moved ||= next !== "ask";
      readerGoesOn(world, index);
    }
    if (moved || world.pull !== null || world.put !== null) continue;
    if (!world.alarm() && world.readers.every(({ outcome }) => outcome !== null)) break;
  }
  must(world.late.length === 0 && world.drops.length === 0, "left-over", "work is left");
  must(Object.keys(world.slices).length === 0, "left-over", `slices are left: ${JSON.stringify(world.slices)}`);
  must(world.room.length === 0, "left-over", `room is left: ${world.room}`);
  const known = world.index === world.object || (world.stranger && world.object === null);
  must(known, "left-over", `the index says ${world.index}, R2 has ${world.object}`);
}

function goOnPulling(world: World, fate: Fate): void {
  const { pull } = world;
  if (pull === null) return;
  if (pull.put !== null) {
    if (fate === "hang") world.hang(pull);
    else world.sliceStored(pull);
  } else if (fate === "break") {
    world.break(pull);
  } else if (fate === "refuse") {
    world.refuse();
  } else {
    if (fate === "wrong") pull.good = false;
    world.beginSlice(pull);
  }
}
