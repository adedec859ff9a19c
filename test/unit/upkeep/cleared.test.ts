/** What was cleared from the index is removed by its Fills, in runs of a bounded time. */

import { beforeEach, describe, expect, it } from "vitest";
import { removeCleared } from "../../../src/upkeep/cleared.ts";
import { bindings } from "../../support/env.ts";
import { keepLines } from "../../support/lines.ts";
import {
  catalog,
  emptyStore,
  imageIds,
  indexOnly,
  keysOf,
  objectKeys,
  storeImage,
  storeInParts,
} from "../../support/store.ts";
import { clockThatJumps, NEVER, NOW, unreachableFills, upkeepTools } from "../../support/upkeep.ts";

keepLines();

const many = (count: number) => Array.from({ length: count }, (_, index) => `image-${String(index).padStart(4, "0")}`);
const left = async () => (await catalog.cleared({ at: -1, imageId: "" }, 9_999)).map(({ imageId }) => imageId);

beforeEach(emptyStore);

describe("what was cleared", () => {
  it("goes, objects and parts and rows, and what was kept since stays", async () => {
    await storeImage("a", { at: 1_000 });
    await storeInParts("b", 4, { at: 2_000 });
    await catalog.clear(2_000);
    await storeImage("c", { at: 3_000 });
    expect(await removeCleared(upkeepTools(), NEVER)).toBe(2);
    expect(await objectKeys()).toEqual(["images/c"]);
    expect(await imageIds()).toEqual(["c"]);
    expect(await left()).toEqual([]);
    expect(await removeCleared(upkeepTools(), NEVER)).toBe(0);
  });

  it("goes as far as there is time, and the next run does the rest", async () => {
    await indexOnly(many(50));
    await catalog.clear(NOW);
    // A look before the page, and one before twenty of it.
    expect(await removeCleared(upkeepTools({}, { now: clockThatJumps(2) }), NOW + 1)).toBe(20);
    expect(await left()).toHaveLength(30);
    expect(await removeCleared(upkeepTools(), NOW)).toBe(0);
    expect(await removeCleared(upkeepTools(), NEVER)).toBe(30);
  });

  it("stays where its Fill can't be reached, which keeps none of the others and ends", async () => {
    await storeImage("a");
    await catalog.clear(NOW);
    expect(await removeCleared(upkeepTools({}, { fills: unreachableFills }), NEVER)).toBe(0);
    expect(await keysOf("a")).toEqual(["images/a"]);
    expect(await removeCleared(upkeepTools(), NEVER)).toBe(1);
  });

  it("is asked for once a run, each of several pages, also where all of it stays", async () => {
    await indexOnly(many(450));
    await catalog.clear(NOW);
    const asked: string[] = [];
    // Clients read each of them.
    const remove = (imageId: string) => async () => {
      asked.push(imageId);
      return "busy";
    };
    const fills = new Proxy(bindings.FILL, {
      get: (_, name) => (name === "get" ? (id: string) => ({ remove: remove(id) }) : (id: string) => id),
    });
    expect(await removeCleared(upkeepTools({}, { fills }), NEVER)).toBe(0);
    expect(asked.sort()).toEqual(many(450));
  });
});
