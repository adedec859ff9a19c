/**
 * Many readers of one fill, with a clock of the simulation's own over the pure rules: how often they ask, and how late the
 * last one hears of a slice. They all come within a second, and send what they are told of in no time.
 */
import { describe, expect, it } from "vitest";
import { answer } from "../../../src/fill/object/answer.ts";
import { step } from "../../../src/fill/object/rules.ts";
import type { FillState } from "../../../src/fill/object/state.ts";
import { nextTurn, spacing } from "../../../src/fill/object/turns.ts";
import { asks, attempt, fillIn, NOW, SUBJECT } from "../../support/fill-states.ts";

const SLICES = 400;
const SLICE_EVERY_MS = 250;
/** How long a question may wait at the Fill (src/download/reader.ts). */
const WAIT_MS = 10_000;
const SLICE_BYTES = 8;
const SIZE = (SLICES - 7) * SLICE_BYTES;
const subject = { ...SUBJECT, size: SIZE };

interface Simulated {
  /** Calls in each second from the first one on, but for the first one of each reader. */
  readonly perSecond: readonly number[];
  /** The longest time between a slice's put and the moment when the last reader heard of it, ms. */
  readonly behind: number;
  /** Readers that have all. */
  readonly done: number;
}

function simulate(readers: number): Simulated {
  let state: FillState = fillIn({
    ...attempt(0, { subject, size: SIZE, sliceBytes: SLICE_BYTES }),
    is: "filling",
    notBefore: NOW,
  });
  const storedAt: number[] = [];
  const known = new Array<number>(readers).fill(0);
  const calls = new Map<number, number[]>();
  const waiting = new Map<number, number>();
  const perSecond: number[] = [];
  let last = 0;
  let behind = 0;
  let done = 0;
  const cameAt = (reader: number) => NOW + Math.floor((reader * 1_000) / readers);
  const askAt = (ms: number, reader: number) => {
    const all = calls.get(ms);
    if (all === undefined) calls.set(ms, [reader]);
    else all.push(reader);
  };
  const answered = (reader: number, now: number) => {
    last = nextTurn(last, now);
    askAt(last, reader);
  };
  /** @returns whether there was something new */
  const tell = (reader: number, now: number): boolean => {
    const has = known[reader] ?? 0;
    const at = has < 8 ? has : (has - 7) * SLICE_BYTES;
    const say = answer(state, asks({ subject, attempt: "mine", sent: has > 0, at }), now);
    if (say.do === "wait") return false;
    if (say.do !== "read") throw new Error(`a reader is told ${say.do}`);
    // One that came later could not have heard of it before.
    behind = Math.max(behind, now - Math.max(storedAt[has] ?? now, cameAt(reader)));
    known[reader] = say.stored;
    if (say.stored === SLICES) done++;
    else answered(reader, now);
    return true;
  };
  for (let reader = 0; reader < readers; reader++) askAt(cameAt(reader), reader);
  const first = new Set(Array.from({ length: readers }, (_, reader) => reader));
  for (let now = NOW; done < readers && now < NOW + 1_000_000; now++) {
    if ((now - NOW) % SLICE_EVERY_MS === 0 && storedAt.length < SLICES) {
      storedAt.push(now);
      state = step(state, { on: "stored", attempt: "mine", stored: storedAt.length, fetched: 0, sums: [] }, now).state;
      for (const reader of [...waiting.keys()]) if (tell(reader, now)) waiting.delete(reader);
    }
    for (const [reader, until] of waiting) {
      if (until > now) continue;
      waiting.delete(reader);
      answered(reader, now);
    }
    for (const reader of calls.get(now) ?? []) {
      const second = Math.floor((now - NOW) / 1_000);
      perSecond[second] ??= 0;
      if (!first.delete(reader)) perSecond[second]++;
      if (!tell(reader, now)) waiting.set(reader, now + WAIT_MS);
    }
    calls.delete(now);
  }
  return { perSecond: Array.from(perSecond, (count) => count ?? 0), behind, done };
}

describe.each([1, 16, 1_000, 10_000])("%i readers of one fill", (readers) => {
  const { perSecond, behind, done } = simulate(readers);

  it("ask at most 200 times a second, however many there are", () => {
    expect(Math.max(...perSecond)).toBeLessThanOrEqual(200);
  });

  it("are at most one spacing behind, the last one as well, and all have the whole image", () => {
    expect(behind).toBeLessThanOrEqual(spacing(readers));
    expect(done).toBe(readers);
  });
});

describe("a reader's turn", () => {
  it.each([
    ["50 ms later, if nobody else has one", 0, 50],
    ["50 ms later, if the last one has gone by", 44, 50],
    ["behind the last one", 46, 51],
    ["behind the last one, while that is near", 1_999, 2_004],
    ["further behind it once that is far: there are many, who look for slices by themselves", 2_000, 2_010],
    ["so however far that is", 60_000, 60_010],
  ])("is %s", (_, last, turn) => {
    expect(nextTurn(NOW + last, NOW)).toBe(NOW + turn);
  });
});
