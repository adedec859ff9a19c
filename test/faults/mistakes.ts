/** Mistakes that are planted in src to see that the runner finds them: `--plant` one, or `--prove` all. */
import type { Change } from "./bundle.ts";

export interface Mistake extends Change {
  /** That have found it. What happens when depends on the machine as well: one of them is to find it each time. */
  readonly seeds: readonly number[];
}

export const MISTAKES: readonly Mistake[] = [
  {
    seeds: [],
    name: "digest-not-compared",
    file: "src/digest/gate.ts",
    find: "if ((await digester.finish()) !== digest.hex)",
    replace: "if ((await digester.finish()) === '')",
  },
  {
    seeds: [],
    name: "nothing-held-back",
    file: "src/digest/gate.ts",
    find: "const open = Math.min(value.byteLength, Math.max(0, openEnd - start));",
    replace: "const open = Math.min(value.byteLength, Math.max(0, size - start));",
  },
  {
    seeds: [],
    name: "attempts-mixed",
    file: "src/store/slices.ts",
    find: "function sliceKey({ imageId, attempt }: Attempt, slice: number): string {",
    replace: "function sliceKey({ imageId }: Attempt, slice: number): string { const attempt = 'one';",
  },
  {
    seeds: [],
    name: "ranges-given-though-left-alone",
    file: "src/fill/object/answer.ts",
    find: 'if (ask.want !== "whole" && now < state.leftAloneUntil) {',
    replace: "if (now < 0) {",
  },
  {
    seeds: [],
    name: "slices-not-deleted",
    file: "src/fill/object/removal.ts",
    find: "await this.#tools.slices.removeAll(imageId, attempt);",
    replace: "",
  },
  {
    seeds: [],
    name: "room-not-given-back",
    file: "src/fill/object/removal.ts",
    find: "await this.#tools.room.release(attempt);",
    replace: "",
  },
  {
    seeds: [],
    name: "index-not-written",
    file: "src/fill/object/effects.ts",
    find: "await catalog.keep({ imageId, attempt, size, name, owner, pinned }, Date.now());",
    replace: "",
  },
  {
    seeds: [],
    name: "cut-not-mended",
    file: "src/glance/image-body.ts",
    find: "if (this.#cancelled || delay === undefined || isFinal(cause)) throw cause;",
    replace: "throw cause;",
  },
  {
    seeds: [],
    name: "reset-forgets",
    file: "src/fill/object/attempt.ts",
    find: "return this.#storage.kv.get<FillState>(KEY) ?? newFill(imageId);",
    replace: "return newFill(imageId);",
  },
  {
    seeds: [],
    name: "fetched-by-each-reader",
    file: "src/download/follow.ts",
    find: "const first = await reader.first();",
    replace: 'const first = { do: "alone", why: "fill-stopped" };',
  },
  {
    seeds: [],
    name: "stopped-put-stays",
    file: "src/fill/object/removal.ts",
    find: 'if (there !== null && there !== "foreign" && attempts.includes(there.attempt)) {',
    replace: "if (there === undefined) {",
  },
];

/** @throws for a name that there is not */
export function mistakeOf(name: string): Mistake {
  const found = MISTAKES.find((mistake) => mistake.name === name);
  if (found === undefined) throw new Error(`no mistake ${name}: ${MISTAKES.map((one) => one.name).join(", ")}`);
  return found;
}
