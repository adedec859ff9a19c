/** A put whose answer was lost (docs/fills.md): looked for before it is tried again. */
import { afterEach, describe, expect, it } from "vitest";
import { broken, fillsHave, isSlice, type Put, realPut } from "../support/fill-bucket.ts";
import { CALM, fillEnv } from "../support/fill-env.ts";
import { expectKept, expectOnce, slowImage, startReaders } from "../support/fills.ts";
import { keepLines } from "../support/lines.ts";
import { expectImage } from "../support/readers.ts";

const SIZE = 2_000_000;
keepLines();

afterEach(() => {
  fillEnv.changes = CALM;
});

describe("a store whose put of a slice", () => {
  it("is done, but whose answer is lost, has that slice", async () => {
    const lost = new Set<string>();
    const put: Put = async (key, ...rest) => {
      const answer = await realPut(key, ...rest);
      if (!isSlice(key) || lost.has(key)) return answer;
      lost.add(key);
      return broken();
    };
    fillsHave({ put });
    const image = await slowImage({ size: SIZE });
    for (const reader of await startReaders(image, 4)) await expectImage(reader, image);
    await expectOnce(image);
    await expectKept(image);
  });
});

describe("a store whose put of the object", () => {
  it("fails once is asked again, and no reader notices", async () => {
    let failed = 0;
    const put: Put = (key, ...rest) => (isSlice(key) || failed++ > 0 ? realPut(key, ...rest) : broken());
    fillsHave({ put });
    const image = await slowImage({ size: SIZE });
    for (const reader of await startReaders(image, 3)) await expectImage(reader, image);
    await expectOnce(image);
    await expectKept(image);
    expect(failed).toBe(2);
  });

  it("is done, but whose answer is lost, is not asked again", async () => {
    let puts = 0;
    const put: Put = async (key, ...rest) => {
      const answer = await realPut(key, ...rest);
      if (isSlice(key)) return answer;
      puts++;
      return broken();
    };
    fillsHave({ put });
    const image = await slowImage({ size: SIZE });
    for (const reader of await startReaders(image, 3)) await expectImage(reader, image);
    await expectOnce(image);
    await expectKept(image);
    expect(puts).toBe(1);
  });
});
