/** Mistakes that are planted in src to see that the runner finds them: `--plant` one, or `--prove` all. */
import { type Change, change } from "./bundle.ts";

export interface Mistake {
  readonly name: string;
  /** That have found it. What happens when depends on the machine as well: one of them is to find it each time. */
  readonly seeds: readonly number[];
  readonly changes: readonly Change[];
}

export const MISTAKES: readonly Mistake[] = [
  {
    name: "digest-not-compared",
    seeds: [64, 936, 1723, 3713],
    changes: [
      change(
        "src/digest/gate.ts",
        "if ((await digester.finish()) !== digest.hex)",
        "if ((await digester.finish()) === '')",
      ),
    ],
  },
  {
    name: "nothing-held-back",
    seeds: [64, 936, 1723, 3713],
    changes: [change("src/digest/gate.ts", "Math.max(digester.bytes, size - HELD_BYTES), size);", "size, size);")],
  },
  {
    name: "attempts-mixed",
    seeds: [],
    changes: [
      change("src/download/reader.ts", "sent: this.sent > 0,", "sent: false,"),
      change("src/download/reader.ts", "this.#cut.attempt !== answer.attempt && this.sent > 0", "this.sent < 0"),
    ],
  },
  {
    name: "ranges-given-though-left-alone",
    seeds: [64],
    changes: [
      change(
        "src/fill/object/answer.ts",
        'if (ask.want !== "whole" && now < state.leftAloneUntil) {',
        "if (now < 0) {",
      ),
    ],
  },
  {
    name: "slices-not-deleted",
    seeds: [],
    changes: [change("src/fill/object/removal.ts", "await this.#tools.slices.removeAll(imageId, attempt);", "")],
  },
  {
    name: "room-not-given-back",
    seeds: [],
    changes: [change("src/fill/object/removal.ts", "await this.#tools.room.release(attempt);", "")],
  },
  {
    name: "index-not-written",
    seeds: [3, 4, 5],
    changes: [
      change(
        "src/fill/object/effects.ts",
        "await catalog.keep({ imageId, attempt, size, name, owner, pinned }, Date.now());",
        "",
      ),
    ],
  },
  {
    name: "cut-not-mended",
    seeds: [113, 374, 1229, 3684, 3853],
    changes: [
      change(
        "src/glance/image-body.ts",
        "if (this.#cancelled || delay === undefined || isFinal(cause)) throw cause;",
        "throw cause;",
      ),
      change("src/fill/object/rules.ts", "const pause = REOPEN_MS[filling.reopenings];", "const pause = REOPEN_MS[9];"),
    ],
  },
  {
    name: "fetched-by-each-reader",
    seeds: [3, 4, 5],
    changes: [
      change(
        "src/download/follow.ts",
        "const first = await reader.first();",
        'const first = { do: "alone", why: "fill-stopped" };',
      ),
    ],
  },
  {
    name: "reset-forgets",
    seeds: [],
    changes: [
      change(
        "src/fill/object/attempt.ts",
        "return this.#storage.kv.get<FillState>(KEY) ?? newFill(imageId);",
        "return newFill(imageId);",
      ),
    ],
  },
  {
    name: "broken-part-kept",
    seeds: [],
    changes: [
      change(
        "src/fill/object/commit.ts",
        "there.attempt === attempt && (await hasAllParts(job))",
        "there.attempt === attempt",
      ),
    ],
  },
];

/** @throws for a name that there is not */
export function mistakeOf(name: string): Mistake {
  const found = MISTAKES.find((mistake) => mistake.name === name);
  if (found === undefined) throw new Error(`no mistake ${name}: ${MISTAKES.map((one) => one.name).join(", ")}`);
  return found;
}
