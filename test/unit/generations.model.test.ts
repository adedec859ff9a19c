/** The hard cap: whatever fills, commits, evictions and removals do, and in whatever order, the sum never exceeds it. */
import fc from "fast-check";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import type { Filling } from "../../src/store/generations.ts";
import { catalog, emptyStore, generations } from "../support/store.ts";

const CAP = 100;
const NOW = 1_000_000;
/** Contents and their sizes: all fit alone, some pairs do not fit together. */
const SIZES = [20, 35, 50, 70];

type Place = "nowhere" | "filling" | "removing" | "committed" | "over";

/** What the store should know: where each generation is, and which blob each image has. */
interface Model {
  readonly places: Place[];
  readonly images: Map<number, number>;
}

interface Move {
  readonly do: "reserve" | "commit" | "evict" | "evict-blob" | "condemn" | "release";
  readonly generation: number;
}

const GENERATIONS = 12;
const IMAGES = 3;
const contentOf = (generation: number) => generation % SIZES.length;
const imageOf = (generation: number) => generation % IMAGES;
const sizeOf = (generation: number) => SIZES[contentOf(generation)] ?? 0;
const filling = (generation: number): Filling => ({
  blob: `sha256-${contentOf(generation)}`,
  generation: `g${generation}`,
  imageId: `image-${imageOf(generation)}`,
  size: sizeOf(generation),
});

const move = fc.record<Move>({
  do: fc.constantFrom("reserve", "reserve", "reserve", "commit", "commit", "evict", "evict-blob", "condemn", "release"),
  // Some of them often, so that much happens to the same one.
  generation: fc.oneof(fc.nat({ max: 2 }), fc.nat({ max: GENERATIONS - 1 })),
});

const sum = (places: readonly Place[], ...counted: Place[]) =>
  places.reduce((bytes, place, generation) => bytes + (counted.includes(place) ? sizeOf(generation) : 0), 0);
const taken = (places: readonly Place[]) => sum(places, "filling", "removing", "committed");
const committedOf = ({ places }: Model, content: number) =>
  places.findIndex((place, generation) => place === "committed" && contentOf(generation) === content);

beforeEach(emptyStore);
afterAll(emptyStore);

/** Makes a move that a fill or the upkeep could make now, and says what the store should answer. */
async function make({ do: what, generation }: Move, model: Model): Promise<void> {
  const { places, images } = model;
  const { blob, generation: name, imageId } = filling(generation);
  const place = places[generation];
  switch (what) {
    case "reserve": {
      if (place === "over") return;
      const fits = place === "nowhere" && taken(places) + sizeOf(generation) <= CAP;
      expect(await generations.reserve(filling(generation), CAP, NOW)).toBe(fits || place === "filling");
      if (fits) places[generation] = "filling";
      return;
    }
    case "commit": {
      if (place === "nowhere" || place === "over") return;
      const there = committedOf(model, contentOf(generation));
      const image = { ...filling(generation), checksum: null, sliceBytes: 16, etags: ["e"] };
      if (place === "removing" && there === -1) {
        await expect(catalog.commit(image, NOW)).rejects.toThrow("given up");
        return;
      }
      expect(await catalog.commit(image, NOW)).toBe(there === -1 ? name : `g${there}`);
      if (there === -1) places[generation] = "committed";
      images.set(imageOf(generation), contentOf(generation));
      return;
    }
    case "evict": {
      const content = images.get(imageOf(generation));
      images.delete(imageOf(generation));
      const last = content !== undefined && ![...images.values()].includes(content);
      const orphan = last ? committedOf(model, content) : -1;
      const { found, orphan: told } = await catalog.evict(imageId, NOW);
      expect({ found, orphan: told?.generation }).toEqual({
        found: content !== undefined,
        orphan: orphan === -1 ? undefined : `g${orphan}`,
      });
      if (orphan !== -1) places[orphan] = "removing";
      return;
    }
    case "evict-blob": {
      const there = place === "committed";
      const { bytes, orphans } = await catalog.evictBlobs([name], "none", NOW);
      expect({ bytes, orphans }).toEqual(
        there ? { bytes: sizeOf(generation), orphans: [{ blob, generation: name }] } : { bytes: 0, orphans: [] },
      );
      if (!there) return;
      places[generation] = "removing";
      for (const [image, content] of images) if (content === contentOf(generation)) images.delete(image);
      return;
    }
    case "condemn":
      expect(await generations.condemn(name, NOW)).toBe(place !== "committed");
      if (place === "filling") places[generation] = "removing";
      return;
    case "release":
      // Only what was given up is released, and its name is never used again.
      if (place !== "removing") return;
      await generations.release([name]);
      places[generation] = "over";
  }
}

describe("the room in R2", () => {
  it("is what the moves so far have left, and never more than the cap is taken", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(move, { maxLength: 40, size: "max" }), async (moves) => {
        await emptyStore();
        const model: Model = { places: Array.from({ length: GENERATIONS }, () => "nowhere"), images: new Map() };
        for (const next of moves) await make(next, model);
        const room = await generations.room();
        expect(room).toEqual({
          committed: sum(model.places, "committed"),
          filling: sum(model.places, "filling"),
          removing: sum(model.places, "removing"),
        });
        expect(room.committed + room.filling + room.removing).toBeLessThanOrEqual(CAP);
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  it("is never given twice when all ask at once, and nobody is refused who would have fitted", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: CAP }), { minLength: 2, maxLength: 12 }), async (sizes) => {
        await emptyStore();
        const asked = sizes.map((size, index) => ({ ...filling(index), generation: `g${index}`, size }));
        const answers = await Promise.all(asked.map((one) => generations.reserve(one, CAP, NOW)));
        const given = (await generations.room()).filling;
        expect(given).toBe(sizes.reduce((bytes, size, index) => bytes + (answers[index] === true ? size : 0), 0));
        expect(given).toBeLessThanOrEqual(CAP);
        for (const [index, size] of sizes.entries()) {
          if (answers[index] === false) expect(given + size).toBeGreaterThan(CAP);
        }
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  it("survives commits, evictions and removals at the same time", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(move, { maxLength: 6 }), { maxLength: 6 }), async (rounds) => {
        await emptyStore();
        const reserved = new Set<string>();
        for (const moves of rounds) {
          await Promise.all(moves.map((next) => makeBlindly(next, reserved)));
          const { committed, filling: filled, removing } = await generations.room();
          expect(committed + filled + removing).toBeLessThanOrEqual(CAP);
        }
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});

/** A move as a fill makes it that does not know of the others'. Each generation is reserved and committed once. */
async function makeBlindly({ do: what, generation }: Move, reserved: Set<string>): Promise<void> {
  const { generation: name, imageId } = filling(generation);
  switch (what) {
    case "reserve":
    case "commit": {
      if (reserved.has(name)) return;
      reserved.add(name);
      if (!(await generations.reserve(filling(generation), CAP, NOW)) || what === "reserve") return;
      // It may have been given up meanwhile.
      await catalog
        .commit({ ...filling(generation), checksum: null, sliceBytes: 16, etags: ["e"] }, NOW)
        .catch(() => undefined);
      return;
    }
    case "evict":
      await catalog.evict(imageId, NOW);
      return;
    case "evict-blob":
      await catalog.evictBlobs([name], "none", NOW);
      return;
    case "condemn":
      await generations.condemn(name, NOW);
      return;
    case "release": {
      const removing = (await generations.removing(99)).some((one) => one.generation === name);
      if (removing) await generations.release([name]);
    }
  }
}
