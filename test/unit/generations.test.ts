import { beforeEach, describe, expect, it } from "vitest";
import type { StoredImage } from "../../src/store/catalog.ts";
import type { Filling } from "../../src/store/generations.ts";
import { bindings } from "../support/env.ts";
import { catalog, emptyStore, generations, use } from "../support/store.ts";

const CAP = 100;
const NOW = 1_000_000;

const filling = (generation: string, size: number): Filling => ({
  blob: `sha256-${generation}`,
  generation,
  imageId: `image-${generation}`,
  size,
});
const commit = (generation: string, size: number, at = 0) => {
  const image: StoredImage = { ...filling(generation, size), checksum: null, sliceBytes: 16, etags: ["e"] };
  return catalog.commit(image, at);
};
const reserve = (generation: string, size: number, cap = CAP, now = NOW) =>
  generations.reserve(filling(generation, size), cap, now);

beforeEach(emptyStore);

describe("room for a generation", () => {
  it("is taken up to the cap, to the byte", async () => {
    expect(await reserve("a", 60)).toBe(true);
    expect(await reserve("b", 41)).toBe(false);
    expect(await reserve("b", 40)).toBe(true);
    expect(await generations.room()).toEqual({ committed: 0, filling: 100, removing: 0 });
  });

  it("is refused to what is committed: it has its room, and is to be filled no more", async () => {
    await commit("a", 30);
    expect(await reserve("a", 30)).toBe(false);
    expect(await generations.filling(9)).toEqual([]);
    expect(await generations.room()).toEqual({ committed: 30, filling: 0, removing: 0 });
  });

  it("is refused to what is larger than the cap, and by a cap of 0 to all", async () => {
    expect(await reserve("a", CAP + 1)).toBe(false);
    expect(await reserve("a", 1, 0)).toBe(false);
    expect(await generations.filling(9)).toEqual([]);
  });

  it("is taken once, however often it is asked for, even when nothing is left", async () => {
    expect(await reserve("a", CAP)).toBe(true);
    expect(await reserve("a", CAP)).toBe(true);
    expect(await reserve("a", CAP, 0)).toBe(true);
    expect(await generations.room()).toEqual({ committed: 0, filling: CAP, removing: 0 });
  });

  it("is what committed, filled and removed generations leave", async () => {
    await commit("a", 30);
    await reserve("b", 30);
    await reserve("c", 30);
    await generations.condemn("c", NOW);
    expect(await generations.room()).toEqual({ committed: 30, filling: 30, removing: 30 });
    expect(await reserve("d", 11)).toBe(false);
    expect(await reserve("d", 10)).toBe(true);
  });

  it("counts sizes beyond 32 bits", async () => {
    expect(await reserve("a", 2 ** 45, 2 ** 46)).toBe(true);
    expect(await reserve("b", 2 ** 45 + 1, 2 ** 46)).toBe(false);
    expect((await generations.filling(9))[0]?.size).toBe(2 ** 45);
  });

  it("is not given to two who ask at the same time and do not both fit", async () => {
    const answers = await Promise.all(["a", "b", "c", "d", "e"].map((generation) => reserve(generation, 40)));
    expect(answers.filter(Boolean)).toHaveLength(2);
    expect((await generations.room()).filling).toBe(80);
  });
});

describe("a generation that is given up", () => {
  it("gets no room again under its name, and keeps counting", async () => {
    await reserve("a", 60);
    await generations.condemn("a", NOW + 1);
    expect(await reserve("a", 60)).toBe(false);
    expect(await generations.room()).toEqual({ committed: 0, filling: 0, removing: 60 });
    expect(await generations.filling(9)).toEqual([]);
    expect(await generations.removing(9)).toEqual([{ blob: "sha256-a", generation: "a" }]);
  });

  it("gives its room back when it is released", async () => {
    await reserve("a", 60);
    await generations.condemn("a", NOW);
    await generations.release(["a"]);
    expect(await generations.room()).toEqual({ committed: 0, filling: 0, removing: 0 });
    expect(await reserve("b", CAP)).toBe(true);
  });

  it("is to be removed, also when it was given up before, or when nobody knows it", async () => {
    await reserve("a", 60);
    expect(await generations.condemn("a", NOW + 1)).toBe(true);
    expect(await generations.condemn("a", NOW + 2)).toBe(true);
    expect(await generations.condemn("never", NOW)).toBe(true);
  });

  it("is no committed one: condemning and releasing it leave the blob alone", async () => {
    await reserve("a", 30);
    await commit("a", 30);
    expect(await generations.condemn("a", NOW)).toBe(false);
    await generations.release(["a"]);
    expect(await generations.room()).toEqual({ committed: 30, filling: 0, removing: 0 });
    expect((await catalog.find("image-a"))?.generation).toBe("a");
  });

  it("is no committed one, even if it should be said to be filled still", async () => {
    await commit("a", 30);
    await bindings.CATALOG.prepare(
      "INSERT INTO generations VALUES ('a', 'sha256-a', 'image-a', 30, 'filling', 0)",
    ).run();
    expect(await generations.condemn("a", NOW)).toBe(false);
    expect(await generations.removing(9)).toEqual([]);
  });

  it("goes with others in one statement", async () => {
    for (const name of ["a", "b", "c"]) {
      await reserve(name, 20);
      await generations.condemn(name, NOW);
    }
    await generations.release(["a", "c"]);
    expect(await generations.room()).toEqual({ committed: 0, filling: 0, removing: 20 });
    await generations.release([]);
    expect((await generations.removing(9)).map(({ generation }) => generation)).toEqual(["b"]);
  });

  it("that nobody knows is no error", async () => {
    await generations.condemn("never", NOW);
    await generations.release(["never"]);
    expect(await generations.known(["never"])).toEqual(new Set());
  });
});

describe("a commit and a removal of the same generation", () => {
  it("at the same time: one of them comes first, and the other gives way", async () => {
    const first = { commit: 0, removal: 0 };
    for (let round = 0; round < 20; round++) {
      await emptyStore();
      await reserve("a", 60);
      const calls = [
        () =>
          commit("a", 60).then(
            () => true,
            () => false,
          ),
        () => generations.condemn("a", NOW),
      ];
      // Either may be on its way first.
      const order = round % 2 === 0 ? [0, 1] : [1, 0];
      const answers = await Promise.all(order.map((call) => calls[call]?.()));
      const [committed, removed] = round % 2 === 0 ? answers : answers.reverse();
      expect(committed).toBe(!removed);
      expect(await generations.room()).toEqual({
        committed: committed ? 60 : 0,
        filling: 0,
        removing: removed ? 60 : 0,
      });
      expect(await catalog.generationOf("sha256-a")).toBe(committed ? "a" : null);
      first[committed ? "commit" : "removal"]++;
    }
    // Both orders were seen.
    expect(Math.min(first.commit, first.removal)).toBeGreaterThan(0);
  });
});

describe("the lists of generations", () => {
  it("begin with the oldest, and are as long as they may be", async () => {
    await reserve("c", 1, CAP, 10);
    await reserve("a", 2, CAP, 30);
    await reserve("b", 3, CAP, 20);
    expect(await generations.filling(2)).toEqual([filling("c", 1), filling("b", 3)]);
    await generations.condemn("a", 40);
    await generations.condemn("c", 50);
    expect((await generations.removing(9)).map(({ generation }) => generation)).toEqual(["a", "c"]);
    expect((await generations.removing(1)).map(({ generation }) => generation)).toEqual(["a"]);
  });

  it("tell which are known: committed, filling and removing ones", async () => {
    await commit("a", 10);
    await reserve("b", 10);
    await reserve("c", 10);
    await generations.condemn("c", NOW);
    await reserve("d", 10);
    await generations.release(["d"]);
    expect(await generations.known(["a", "b", "c", "d", "e"])).toEqual(new Set(["a", "b", "c"]));
    expect(await generations.known([])).toEqual(new Set());
  });

  it("know a thousand at once", async () => {
    await commit("a", 10);
    const many = Array.from({ length: 1_000 }, () => crypto.randomUUID());
    expect(await generations.known([...many, "a"])).toEqual(new Set(["a"]));
  });
});

describe("the candidates", () => {
  it("begin with the least recently used; one never read counts from its commit", async () => {
    await commit("a", 10, 1_000);
    await commit("b", 20, 2_000);
    await commit("c", 30, 3_000);
    await use("image-a", 9_000, 99_999);
    expect(await generations.candidates(9)).toEqual([
      { blob: "sha256-b", generation: "b", size: 20, lastAccessed: 2_000, inUseUntil: 92_000 },
      { blob: "sha256-c", generation: "c", size: 30, lastAccessed: 3_000, inUseUntil: 93_000 },
      { blob: "sha256-a", generation: "a", size: 10, lastAccessed: 9_000, inUseUntil: 99_999 },
    ]);
    expect(await generations.candidates(1)).toMatchObject([{ generation: "b" }]);
  });

  it("begin with blobs that no image has", async () => {
    await commit("a", 10, 1_000);
    await commit("b", 10, 2_000);
    // Its image goes over to another content.
    await catalog.commit({ ...filling("c", 10), imageId: "image-b", checksum: null, sliceBytes: 16, etags: [] }, 3_000);
    expect(await generations.candidates(1)).toEqual([
      { blob: "sha256-b", generation: "b", size: 10, lastAccessed: 0, inUseUntil: 0 },
    ]);
  });

  it("are as recent as the most recent of their images, and in use as long as any", async () => {
    await commit("a", 10, 1_000);
    await catalog.commit({ ...filling("a", 10), imageId: "other", checksum: null, sliceBytes: 16, etags: [] }, 1_000);
    await use("image-a", 9_000, 0);
    await use("other", 2_000, 500_000);
    await commit("b", 10, 5_000);
    expect(await generations.candidates(9)).toMatchObject([
      { generation: "b", lastAccessed: 5_000 },
      { generation: "a", lastAccessed: 9_000, inUseUntil: 500_000 },
    ]);
  });

  it("are no generations that are being filled or removed", async () => {
    await reserve("a", 10);
    await commit("b", 10);
    await catalog.evict("image-b", NOW);
    expect(await generations.candidates(9)).toEqual([]);
  });
});
