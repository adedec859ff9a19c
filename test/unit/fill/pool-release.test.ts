import { describe, expect, it } from "vitest";
import { BufferPool } from "../../../src/fill/object/pool.ts";

const { signal } = new AbortController();

describe("the slice buffers of a Fill that was reset", () => {
  it("are free for the others, and what is given back late counts once", async () => {
    const pool = new BufferPool(3);
    const late = await pool.take(2, signal, "reset");
    await pool.take(1, signal, "other");
    const waiting = pool.take(2, signal, "third");
    pool.release("reset");
    const giveBack = await waiting;
    expect(pool.used).toBe(3);
    late();
    expect(pool.used).toBe(3);
    giveBack();
    giveBack();
    expect(pool.used).toBe(1);
  });

  it("are not waited for any more either: a grant to nobody would be lost for ever", async () => {
    const pool = new BufferPool(2);
    const first = await pool.take(2, signal, "first");
    let granted = false;
    void pool.take(2, signal, "reset").then(() => {
      granted = true;
    });
    const last = pool.take(2, signal, "last");
    pool.release("reset");
    first();
    await last;
    expect(granted).toBe(false);
    expect(pool.used).toBe(2);
  });
});
