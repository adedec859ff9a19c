import { expect, it } from "vitest";
import { type ModelOptions, newWorld, keyOf, type World } from "../support/fill-model.ts";
import { offers, Violation } from "../support/fill-moves.ts";

function explore(options: ModelOptions, max: number) {
  const start = newWorld(options);
  const seen = new Set<string>([keyOf(start)]);
  const parents: { parent: number; name: string }[] = [{ parent: -1, name: "start" }];
  const queue: World[] = [start];
  const found = new Map<string, string>();
  let moves = 0;
  for (let i = 0; i < queue.length && queue.length < max; i++) {
    for (const o of offers(queue[i] as World, options)) {
      moves++;
      try {
        const w = o.take();
        const key = keyOf(w);
        if (seen.has(key)) continue;
        seen.add(key);
        queue.push(w);
        parents.push({ parent: i, name: o.name });
      } catch (e) {
        if (!(e instanceof Violation)) throw e;
        const k = `${e.invariant}: ${e.message}`;
        if (found.has(k)) continue;
        const trace = [o.name];
        for (let at = i; at > 0; at = parents[at]?.parent ?? 0) trace.unshift(parents[at]?.name ?? "");
        found.set(k, trace.join("\n    "));
      }
    }
  }
  return { worlds: queue.length, moves, found };
}

const m = (wrong = 0, failure = 0, silence = 0, stall = 0, lost = 0) => ({ wrong, failure, silence, stall, lost });
it.each([
  [3, 3, 0, m()],
  [3, 2, 0, m(1)],
  [3, 3, 0, m(1)],
  [3, 3, 0, m(0,0,0,1)],
  [2, 3, 0, m(1,1,1,1)],
] as const)("%j", (readers, slices, puts, misfortunes) => {
  const o = { readers, slices, puts, misfortunes, stallMs: 20_000 };
  const t = Date.now();
  const r = explore(o, 250000);
  console.log("XX", JSON.stringify(o), r.worlds, r.moves, Date.now() - t);
  for (const [k, v] of r.found) if (!k.startsWith("clean")) console.log(`XX ${k}\n    ${v}`);
  expect(1).toBe(1);
}, 100000);
