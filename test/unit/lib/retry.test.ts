/** The one way to try a call to R2 or a Durable Object again. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { retry, spread } from "../../../src/lib/retry.ts";

const pauses: number[] = [];

beforeEach(() => {
  pauses.length = 0;
  vi.spyOn(scheduler, "wait").mockImplementation(async (ms) => {
    pauses.push(ms);
  });
  vi.spyOn(Math, "random").mockReturnValue(0);
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** Fails so often, and then succeeds. */
function failing(times: number, cause: unknown = new Error("lost")) {
  const calls = { count: 0 };
  const call = async () => {
    calls.count++;
    if (calls.count <= times) throw cause;
    return "done";
  };
  return { call, calls };
}

describe("a call", () => {
  it("that succeeds is made once", async () => {
    const { call, calls } = failing(0);
    expect(await retry(call, { delaysMs: [10, 20] })).toBe("done");
    expect([calls.count, pauses]).toEqual([1, []]);
  });

  it("that fails is made anew after each pause", async () => {
    const { call, calls } = failing(2);
    expect(await retry(call, { delaysMs: [10, 20] })).toBe("done");
    expect([calls.count, pauses]).toEqual([3, [10, 20]]);
  });

  it("that always fails throws what its last try threw", async () => {
    let count = 0;
    const call = () => Promise.reject(new Error(`failure ${++count}`));
    await expect(retry(call, { delaysMs: [10, 20] })).rejects.toThrow("failure 3");
    expect(pauses).toEqual([10, 20]);
  });

  it("whose failure is final is not made again", async () => {
    const { call, calls } = failing(9);
    await expect(retry(call, { delaysMs: [10, 20], retryable: () => false })).rejects.toThrow("lost");
    expect([calls.count, pauses]).toEqual([1, []]);
  });

  it("of an overloaded object waits a second more", async () => {
    const { call } = failing(1, Object.assign(new Error("overloaded"), { overloaded: true }));
    await retry(call, { delaysMs: [10] });
    expect(pauses).toEqual([1_010]);
    const other = failing(1, Object.assign(new Error("not so"), { overloaded: false }));
    await retry(other.call, { delaysMs: [10] });
    expect(pauses).toEqual([1_010, 10]);
  });

  it("that throws no error is tried again as well", async () => {
    const { call } = failing(1, "lost");
    expect(await retry(call, { delaysMs: [10] })).toBe("done");
  });
});

describe("a pause", () => {
  it.each([
    [0, 100],
    [0.5, 125],
    [1, 150],
  ])("is spread by up to half: %d", (random, ms) => {
    vi.spyOn(Math, "random").mockReturnValue(random);
    expect(spread(100)).toBe(ms);
  });
});
