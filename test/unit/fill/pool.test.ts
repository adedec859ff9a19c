/** The bound on memory for slices that are being stored. */
import { describe, expect, it, vi } from "vitest";
import { BufferPool, NoBuffer } from "../../../src/fill/object/pool.ts";

const never = new AbortController().signal;

/** Asks for a buffer, and tells when it was granted. */
function asking(pool: BufferPool, bytes: number, signal = never) {
  const asked = { granted: false, give: () => {}, taking: Promise.resolve() };
  asked.taking = pool.take(bytes, signal).then((give) => {
    asked.granted = true;
    asked.give = give;
  });
  return asked;
}
const turn = () => scheduler.wait(0);

describe("the pool of slice buffers", () => {
  it("grants what fits, and lets what does not wait until there is room", async () => {
    const pool = new BufferPool(10);
    const first = asking(pool, 6);
    const second = asking(pool, 4);
    const third = asking(pool, 1);
    await turn();
    expect([first.granted, second.granted, third.granted]).toEqual([true, true, false]);
    expect(pool.used).toBe(10);
    second.give();
    await third.taking;
    expect(pool.used).toBe(7);
  });

  it("grants in the order of asking: a small one does not pass by a large one", async () => {
    const pool = new BufferPool(10);
    const first = asking(pool, 8);
    const large = asking(pool, 9);
    const small = asking(pool, 1);
    await turn();
    expect([large.granted, small.granted]).toEqual([false, false]);
    first.give();
    await turn();
    expect([large.granted, small.granted]).toEqual([true, true]);
    expect(pool.used).toBe(10);
  });

  it("takes a buffer back once, however often it is given", async () => {
    const pool = new BufferPool(10);
    const first = await pool.take(5, never);
    await pool.take(5, never);
    first();
    first();
    expect(pool.used).toBe(5);
  });

  it("grants one that is larger than all of it when it is empty, and nothing beside it", async () => {
    const pool = new BufferPool(10);
    const small = asking(pool, 1);
    const huge = asking(pool, 99);
    const after = asking(pool, 1);
    await turn();
    expect(huge.granted).toBe(false);
    small.give();
    await huge.taking;
    await turn();
    expect(after.granted).toBe(false);
    huge.give();
    await after.taking;
    expect(pool.used).toBe(1);
  });

  it("lets one that waits go away, and those behind it have its turn", async () => {
    const pool = new BufferPool(10);
    const leaving = new AbortController();
    asking(pool, 8);
    const large = asking(pool, 9, leaving.signal);
    const small = asking(pool, 2);
    await turn();
    expect(small.granted).toBe(false);
    leaving.abort(new Error("stopped"));
    await expect(large.taking).rejects.toThrow("stopped");
    await small.taking;
    expect(pool.used).toBe(10);
  });

  it("takes nothing for one that has gone already", async () => {
    const pool = new BufferPool(10);
    await expect(pool.take(1, AbortSignal.abort(new Error("stopped")))).rejects.toThrow("stopped");
    expect(pool.used).toBe(0);
  });

  it("keeps what was granted when its taker goes away: the put may still be under way", async () => {
    const pool = new BufferPool(10);
    const leaving = new AbortController();
    const give = await pool.take(5, leaving.signal);
    leaving.abort(new Error("stopped"));
    expect(pool.used).toBe(5);
    give();
    expect(pool.used).toBe(0);
  });

  it("frees what was granted to an owner that is gone before it could go on", async () => {
    const pool = new BufferPool(10);
    const give = await pool.take(8, never, "first");
    void pool.take(8, never, "gone");
    give();
    expect(pool.used).toBe(8);
    pool.release("gone");
    expect(pool.used).toBe(0);
  });

  it("frees what an owner has that is not heard of for a minute, and nothing of one that is", async () => {
    let now = 1_000_000;
    const pool = new BufferPool(10, () => now);
    const late = await pool.take(5, never, "silent");
    await pool.take(4, never, "alive");
    now += 59_000;
    pool.heard("alive");
    const next = pool.take(5, never, "next");
    expect(pool.used).toBe(9);
    now += 1_000;
    pool.heard("alive");
    await next;
    expect(pool.used).toBe(9);
    // What comes back after all is not counted twice.
    late();
    expect(pool.used).toBe(9);
  });

  it("is waited for no longer than a minute, and those behind have their turn", async () => {
    const set = globalThis.setTimeout;
    vi.spyOn(globalThis, "setTimeout").mockImplementation(((run: () => void, ms: number) =>
      set(run, ms === 60_000 ? 20 : ms)) as unknown as typeof setTimeout);
    const pool = new BufferPool(10);
    asking(pool, 8);
    const large = pool.take(9, never);
    vi.restoreAllMocks();
    const small = asking(pool, 2);
    await expect(large).rejects.toThrow(NoBuffer);
    await small.taking;
    expect(pool.used).toBe(10);
  });

  it("holds its bound with twelve fills of three slow puts each, and all of them end", async () => {
    const pool = new BufferPool(64);
    let most = 0;
    let stored = 0;
    const put = async (bytes: number, ms: number) => {
      const give = await pool.take(bytes, never);
      most = Math.max(most, pool.used);
      await scheduler.wait(ms);
      give();
      stored++;
    };
    const fill = async (seed: number) => {
      const puts: Promise<void>[] = [];
      for (let slice = 0; slice < 10; slice++) {
        puts.push(put(slice < 8 ? 1 : 8, (seed * 7 + slice * 3) % 5));
        if (puts.length % 3 === 0) await Promise.all(puts);
      }
      await Promise.all(puts);
    };
    await Promise.all(Array.from({ length: 12 }, (_, seed) => fill(seed)));
    expect(stored).toBe(120);
    expect(most).toBeLessThanOrEqual(64);
    // It is used as well.
    expect(most).toBeGreaterThan(32);
    expect(pool.used).toBe(0);
  });
});
