/** Removing what was given up: from R2 first, then from D1. */
import { beforeEach, describe, expect, it } from "vitest";
import { Generations } from "../../src/store/generations.ts";
import { SliceStore } from "../../src/store/slices.ts";
import { removeCondemned, sweep } from "../../src/store/store.ts";
import { bucketBut } from "../support/bindings.ts";
import { bindings } from "../support/env.ts";
import { catalog, emptyStore, generations, objectKeys, store, storeImage } from "../support/store.ts";
import { keepLines, NOW } from "../support/upkeep.ts";

const lines = keepLines();
const never = () => false;

/** Generations that were given up, the oldest first; none has a slice. */
async function condemn(count: number): Promise<{ blob: string; generation: string }[]> {
  const condemned = Array.from({ length: count }, (_, index) => ({
    blob: `sha256-${index}`,
    generation: `g-${index}`,
  }));
  await bindings.CATALOG.prepare(
    `INSERT INTO generations SELECT value ->> 'generation', value ->> 'blob', 'image', 1, 'removing', key
       FROM json_each(?1)`,
  )
    .bind(JSON.stringify(condemned))
    .run();
  return condemned;
}

/** The room in R2 on a database that counts what it is asked. */
function countingGenerations(): { readonly counted: Generations; readonly asked: () => number } {
  let asked = 0;
  const db = new Proxy(bindings.CATALOG, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      if (name === "prepare" || name === "batch") asked++;
      return value.bind(target);
    },
  });
  return { counted: new Generations(db), asked: () => asked };
}

/** R2 that deletes nothing of these generations. */
const keeps = (kept: (key: string) => boolean) =>
  new SliceStore(
    bucketBut({
      delete: (keys: string[]) =>
        keys.some(kept) ? Promise.reject(new Error("R2 is down")) : bindings.BUCKET.delete(keys),
    }),
  );

beforeEach(emptyStore);

describe("what was given up", () => {
  it("goes, slices and rows, and is counted", async () => {
    await Promise.all(["a", "b", "c", "d", "e"].map((imageId) => storeImage(imageId)));
    const { orphans } = await catalog.evictBlobs(
      (await generations.candidates(9)).map(({ generation }) => generation),
      "none",
      NOW,
    );
    expect(await removeCondemned(store, orphans)).toBe(5);
    expect(await objectKeys()).toEqual([]);
    expect(await generations.room()).toEqual({ committed: 0, filling: 0, removing: 0 });
  });

  it("gives its room back in one statement, however many there are", async () => {
    const { counted, asked } = countingGenerations();
    const condemned = await condemn(60);
    expect(await removeCondemned({ ...store, generations: counted }, condemned)).toBe(60);
    expect(asked()).toBe(1);
    expect(await generations.removing(99)).toEqual([]);
  });

  it("asks the database nothing when there is nothing", async () => {
    const { counted, asked } = countingGenerations();
    expect(await removeCondemned({ ...store, generations: counted }, [])).toBe(0);
    expect(asked()).toBe(0);
  });

  it("goes as far as R2 lets it: the others' room stays taken", async () => {
    const stuck = await storeImage("stuck");
    await storeImage("a");
    const both = (await generations.candidates(9)).map(({ generation }) => generation);
    const { orphans } = await catalog.evictBlobs(both, "none", NOW);
    const slices = keeps((key) => key.includes(stuck.generation));
    expect(await removeCondemned({ ...store, slices }, orphans)).toBe(1);
    expect(await generations.removing(9)).toEqual([{ blob: stuck.blob, generation: stuck.generation }]);
    expect(lines("store.remove-failed")).toMatchObject([{ generation: stuck.generation, error: "Error: R2 is down" }]);
  });

  it("stays marked when the database does not answer, which is told and not thrown", async () => {
    class Silent extends Generations {
      override async release(): Promise<void> {
        throw new Error("D1 is down");
      }
    }
    const condemned = await condemn(3);
    expect(await removeCondemned({ ...store, generations: new Silent(bindings.CATALOG) }, condemned)).toBe(0);
    expect(lines("store.release-failed")).toMatchObject([{ generations: 3, error: "Error: D1 is down" }]);
    expect(await generations.removing(9)).toHaveLength(3);
  });
});

describe("a sweep", () => {
  it("removes all that was given up, however much that is", async () => {
    await condemn(230);
    const { counted, asked } = countingGenerations();
    expect(await sweep({ ...store, generations: counted }, never)).toBe(230);
    expect(await generations.removing(999)).toEqual([]);
    // Three lists and three releases.
    expect(asked()).toBe(6);
  });

  it("begins with the oldest, and stops when it is late", async () => {
    await condemn(230);
    let looks = 0;
    expect(await sweep(store, () => looks++ > 0)).toBe(100);
    expect((await generations.removing(1))[0]?.generation).toBe("g-100");
    expect(await sweep(store, () => true)).toBe(0);
    expect(await generations.removing(999)).toHaveLength(130);
  });

  it("ends when nothing can be removed", async () => {
    await condemn(100);
    let listed = 0;
    const slices = new SliceStore(
      bucketBut({
        list: () => {
          listed++;
          return Promise.reject(new Error("R2 is down"));
        },
      }),
    );
    // Should it go round and round, this ends it.
    expect(await sweep({ ...store, slices }, () => listed > 500)).toBe(0);
    expect(listed).toBe(100);
  });

  it("goes on behind some that can't be removed", async () => {
    await condemn(150);
    await bindings.BUCKET.put("blobs/sha256-3/g-3/0", "x");
    const slices = keeps((key) => key.includes("/g-3/"));
    expect(await sweep({ ...store, slices }, never)).toBe(149);
    expect((await generations.removing(9)).map(({ generation }) => generation)).toEqual(["g-3"]);
  });

  it("leaves what is committed or being filled", async () => {
    await storeImage("a");
    await generations.reserve({ blob: "sha256-x", generation: "x", imageId: "x", size: 5 }, 100, NOW);
    expect(await sweep(store, never)).toBe(0);
    expect(await generations.room()).toEqual({ committed: 10, filling: 5, removing: 0 });
    expect(await objectKeys()).toHaveLength(5);
  });
});
