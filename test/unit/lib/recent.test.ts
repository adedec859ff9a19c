import { expect, it } from "vitest";
import { Recent } from "../../../src/lib/recent.ts";

it("one of many looks, the others have what it found, and later one looks again", async () => {
  const recent = new Recent<number>();
  let now = 1_000;
  let looks = 0;
  const look = async () => {
    await scheduler.wait(100);
    return ++looks;
  };
  const get = () => recent.get(5_000, () => now, look);
  expect(await Promise.all([get(), get(), get()])).toEqual([1, 1, 1]);
  now += 4_999;
  expect(await get()).toBe(1);
  now += 1;
  expect(await Promise.all([get(), get()])).toEqual([2, 2]);
});

it("a clock that was set back does not keep what was found for ever", async () => {
  const recent = new Recent<number>();
  let now = 1_000_000;
  let looks = 0;
  const get = () =>
    recent.get(
      5_000,
      () => now,
      async () => ++looks,
    );
  await get();
  now = 1_000;
  expect(await get()).toBe(2);
});

it("one who looks and does not come back is waited for no longer than a look takes", async () => {
  const recent = new Recent<number>();
  let now = 1_000;
  void recent.get(
    5_000,
    () => now,
    () => new Promise<number>(() => undefined),
  );
  now += 15_000;
  expect(
    await recent.get(
      5_000,
      () => now,
      async () => 7,
    ),
  ).toBe(7);
});
