import { describe, expect, it } from "vitest";
import type { Reception } from "../../../src/notify/post.ts";
import { split } from "../../../src/notify/split.ts";

const TAKEN: Reception = { kind: "taken" };
const REFUSED: Reception = { kind: "refused", status: 400 };
const LATER = { kind: "later", cause: new Error("429"), retryAfter: 7 } as const;

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);
const sorted = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b);
const never = () => false;
/** A generator that gives the same numbers in each run (Numerical Recipes, "ranqd1"). */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Splits a batch of so many before a receiver that answers each part so. */
async function run(count: number, answer: (part: readonly number[], posts: number) => Reception, seed = 1) {
  const posted: (readonly number[])[] = [];
  const send = async (part: readonly number[]) => {
    posted.push(part);
    return answer(part, posted.length);
  };
  return { ...(await split(upTo(count), send, never, chance(seed))), posted };
}

const refusing =
  (...bad: number[]) =>
  (part: readonly number[]) =>
    part.some((item) => bad.includes(item)) ? REFUSED : TAKEN;

describe("a refused batch", () => {
  it.each([
    [1, 2],
    [1, 3],
    [1, 7],
    [1, 100],
    [2, 100],
    [5, 100],
  ])("with %i bad messages of %i gets all others through, each message once", async (bad, count) => {
    for (const seed of upTo(20)) {
      const wrong = upTo(bad).map((index) => (index * 37 + seed) % count);
      const { taken, refused, left, posted } = await run(count, refusing(...wrong), seed);
      expect(sorted(refused)).toEqual(sorted(wrong));
      expect(sorted(taken)).toEqual(upTo(count).filter((item) => !wrong.includes(item)));
      expect(left).toEqual([]);
      expect(posted.length).toBeLessThanOrEqual(2 * bad * Math.ceil(Math.log2(count)));
      const alone = posted.filter((part) => refusing(...wrong)(part) === TAKEN).flat();
      expect(new Set(alone).size).toBe(alone.length);
    }
  });

  it.each([2, 3, 8, 100])(
    "of %i, none of which is taken, is given up after few posts, without a verdict",
    async (count) => {
      const { taken, refused, left, posted } = await run(count, () => REFUSED);
      expect(taken).toEqual([]);
      expect(sorted([...refused, ...left])).toEqual(upTo(count));
      expect(posted.length).toBe(Math.min(16, 2 * count - 2));
      // The word of some single messages was heard before it was given up.
      expect(refused.length).toBeGreaterThanOrEqual(2);
    },
  );

  it("of one message is not posted again", async () => {
    expect(await run(1, () => REFUSED)).toEqual({ taken: [], refused: [0], left: [], later: null, posted: [] });
  });

  it("with more bad ones than one run can tell gets the good ones through in some runs, since each has other parts", async () => {
    const bad = upTo(60);
    let open = upTo(100);
    for (let seed = 1; seed <= 20 && open.length > bad.length; seed++) {
      let posts = 0;
      const send = async (part: readonly number[]) => {
        posts++;
        return refusing(...bad)(part);
      };
      const { taken } = await split(open, send, never, chance(seed));
      expect(posts).toBeLessThanOrEqual(100);
      open = open.filter((item) => !taken.includes(item));
    }
    expect(open).toEqual(bad);
  });

  it("is posted no more when the receiver wants no more for now: what was taken stays taken", async () => {
    const { taken, refused, left, later, posted } = await run(8, (part, posts) =>
      posts === 3 ? LATER : refusing(...upTo(4))(part),
    );
    expect(posted).toHaveLength(3);
    expect(later).toBe(LATER);
    expect(sorted([...taken, ...refused, ...left])).toEqual(upTo(8));
  });

  it("is posted no more when its time is over", async () => {
    let looks = 0;
    let posts = 0;
    const send = async () => {
      posts++;
      return REFUSED;
    };
    const { left } = await split(upTo(9), send, () => ++looks > 2, chance(1));
    expect(posts).toBe(2);
    expect(sorted(left)).toEqual(upTo(9));
  });
});
