/** The orders in which the upkeep goes through the catalog. */
import { beforeEach, describe, expect, it } from "vitest";
import type { StoredImage } from "../../src/store/catalog.ts";
import { bindings } from "../support/env.ts";
import { catalog, emptyStore, rounds } from "../support/store.ts";

const imageOf = (imageId: string, content = imageId): StoredImage => ({
  imageId,
  blob: `sha256-${content}`,
  checksum: null,
  generation: `g-${content}`,
  size: 10,
  sliceBytes: 16,
  etags: ["e0", "e1"],
});
const commit = (imageId: string, at: number) => catalog.commit(imageOf(imageId), at);
const names = (blobs: readonly { readonly generation: string }[]) => blobs.map(({ generation }) => generation);

beforeEach(emptyStore);

describe("the blobs that the scrub takes", () => {
  it("are those that it has not tried for the longest time; a commit is a try", async () => {
    await commit("a", 2_000);
    await commit("b", 1_000);
    await commit("c", 3_000);
    expect(await rounds.leastScrubbed(9)).toEqual([
      { generation: "g-b", size: 10 },
      { generation: "g-a", size: 10 },
      { generation: "g-c", size: 10 },
    ]);
    expect(names(await rounds.leastScrubbed(1))).toEqual(["g-b"]);
  });

  it("have their next turn behind the others, however the try ended", async () => {
    await commit("a", 1_000);
    await commit("b", 2_000);
    expect(await rounds.scrubbing("g-a", 5_000)).not.toBeNull();
    expect(names(await rounds.leastScrubbed(9))).toEqual(["g-b", "g-a"]);
    // That it matched is another matter, and no reason for an earlier or later turn.
    await rounds.verified("g-b", 9_000);
    expect(names(await rounds.leastScrubbed(9))).toEqual(["g-b", "g-a"]);
  });

  it("come with all that reading them needs", async () => {
    await commit("a", 1_000);
    const { imageId: _, checksum: __, ...blob } = imageOf("a");
    expect(await rounds.scrubbing("g-a", 5_000)).toEqual(blob);
  });

  it("are told apart from one that was taken out meanwhile", async () => {
    await commit("a", 1_000);
    await catalog.evict("a", 2_000);
    expect(await rounds.scrubbing("g-a", 5_000)).toBeNull();
    expect(await rounds.scrubbing("g-never", 5_000)).toBeNull();
    expect(await rounds.leastScrubbed(9)).toEqual([]);
  });

  it("are noted as verified, and no others", async () => {
    await commit("a", 1_000);
    await commit("b", 2_000);
    await rounds.scrubbing("g-a", 4_000);
    await rounds.verified("g-a", 5_000);
    await rounds.verified("g-never", 9_000);
    const { results } = await bindings.CATALOG.prepare("SELECT generation, verified_at FROM blobs ORDER BY 1").all();
    expect(results).toEqual([
      { generation: "g-a", verified_at: 5_000 },
      { generation: "g-b", verified_at: 2_000 },
    ]);
  });
});

describe("the blobs in the order of their names", () => {
  it("are gone through a page at a time", async () => {
    for (const imageId of ["c", "a", "d", "b"]) await commit(imageId, 0);
    const first = await rounds.blobsAfter("", 2);
    expect(first).toEqual([
      { blob: "sha256-a", generation: "g-a" },
      { blob: "sha256-b", generation: "g-b" },
    ]);
    expect(names(await rounds.blobsAfter(first.at(-1)?.blob ?? "", 2))).toEqual(["g-c", "g-d"]);
    expect(await rounds.blobsAfter("sha256-d", 2)).toEqual([]);
  });
});

describe("the images that the origin is asked about", () => {
  it("are those that it was not asked about for the longest time", async () => {
    for (const imageId of ["c", "a", "b"]) await commit(imageId, 0);
    expect(await rounds.leastReconciled(2)).toEqual(["a", "b"]);
    await rounds.reconciled(["a", "c", "gone"], 5_000);
    expect(await rounds.leastReconciled(9)).toEqual(["b", "a", "c"]);
    await rounds.reconciled(["b"], 6_000);
    await rounds.reconciled([], 7_000);
    expect(await rounds.leastReconciled(9)).toEqual(["a", "c", "b"]);
  });
});
