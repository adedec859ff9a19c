/** Whose images make room: a project's own above its share, and pinned ones only where all others are not enough. */
import { describe, expect, it } from "vitest";
import type { Env } from "../../../src/settings.ts";
import { CRONS, runUpkeep } from "../../../src/upkeep/cron.ts";
import { expectNotStored, file, type SmallEdge, smallEdge, storedIds } from "../../support/cap.ts";
import { expectKept } from "../../support/fills.ts";
import { keepLines } from "../../support/lines.ts";
import { edgeBefore, sharedOrigin } from "../../support/own-origin.ts";
import { expectImage, startReader } from "../../support/readers.ts";
import { asks, bindings, createImage, expectCalls, type Image, type ImageOptions } from "../../support/scenario.ts";

const MB = 1_000_000;
const lines = keepLines();
let edge: SmallEdge;
let clock = 0;

async function edgeWith(cap: number, settings: Partial<Env>): Promise<void> {
  const small = await smallEdge(cap, settings);
  edge = { ...small, env: { ...small.env, ...settings } };
}

/** A new image that is downloaded and kept, and in use by nobody any more; each is read later than the one before. */
async function stored(options: Partial<ImageOptions> = {}): Promise<Image> {
  const image = await createImage({ size: MB, visibility: "public", ...options });
  const reader = await startReader(image.id, { env: edge.env });
  expect(reader.cacheStatus).toBe("glance-edge; fwd=uri-miss; stored");
  await expectImage(reader, image);
  await expectKept(image);
  await expectCalls(...asks(image.id), file(image));
  await bindings.CATALOG.prepare("UPDATE images SET in_use_until = 0, last_accessed = ?2 WHERE image_id = ?1")
    .bind(image.id, ++clock)
    .run();
  return image;
}

const evicted = () => lines("image.evicted").map(({ image_id }) => image_id);
const idsOf = (...images: readonly Image[]) => new Set(images.map(({ id }) => id));
const prune = () => runUpkeep(edgeBefore(sharedOrigin(), null, { env: edge.env }), CRONS.tenMinutely);

describe("with OWNER_MAX_PERCENT = 40", () => {
  it("one project's ten images evict nothing of another's, but its own oldest", async () => {
    await edgeWith(10 * MB, { OWNER_MAX_PERCENT: "40" });
    const theirs = [
      await stored({ owner: "other" }),
      await stored({ owner: "other" }),
      await stored({ owner: "other" }),
    ];
    const own: Image[] = [];
    for (let count = 0; count < 10; count++) own.push(await stored());
    expect(await storedIds()).toEqual(idsOf(...theirs, ...own.slice(-3)));
    expect(evicted()).toEqual(own.slice(0, 7).map(({ id }) => id));
  });

  it("an image that does not fit twice in its project's share is not stored, and nothing goes for it", async () => {
    await edgeWith(5 * MB, { OWNER_MAX_PERCENT: "40" });
    const kept = await stored();
    await expectNotStored(edge, await createImage({ size: MB + 1 }));
    expect(await storedIds()).toEqual(idsOf(kept));
  });

  it("a project that has more, since the share was lowered, gives it up with the next prune", async () => {
    await edgeWith(10 * MB, {});
    const theirs = await stored({ owner: "other" });
    const own = [await stored(), await stored(), await stored(), await stored(), await stored()];
    edge = { ...edge, env: { ...edge.env, OWNER_MAX_PERCENT: "20" } };
    await prune();
    expect(await storedIds()).toEqual(idsOf(theirs, ...own.slice(-2)));
  });
});

describe("an image that PIN_IMAGES names", () => {
  const PINNED = { PIN_IMAGES: "property:site=paris,tag:gold" };

  it("stays while others make room, however long ago it was read", async () => {
    await edgeWith(4 * MB, PINNED);
    const pinned = [await stored({ tags: ["gold"] }), await stored({ properties: { site: "paris" } })];
    const other = await stored();
    const last = await stored();
    expect(evicted()).toEqual([other.id]);
    expect(await storedIds()).toEqual(idsOf(...pinned, last));
  });

  it("goes where all others are not enough", async () => {
    await edgeWith(3 * MB, PINNED);
    const [oldest, pinned] = [await stored({ tags: ["gold"] }), await stored({ tags: ["gold"] })];
    const last = await stored();
    expect(evicted()).toEqual([oldest.id]);
    expect(await storedIds()).toEqual(idsOf(pinned, last));
  });

  it("is told by the origin again when the edge looks whether it is there", async () => {
    await edgeWith(10 * MB, PINNED);
    const image = await stored({ tags: ["gold"] });
    const pinned = () =>
      bindings.CATALOG.prepare("SELECT pinned, owner FROM images WHERE image_id = ?1").bind(image.id).first();
    expect(await pinned()).toEqual({ pinned: 1, owner: "demo" });
    await runUpkeep(edgeBefore(sharedOrigin(), "admin"), CRONS.tenMinutely);
    expect(await pinned()).toEqual({ pinned: 0, owner: "demo" });
    await runUpkeep(edgeBefore(sharedOrigin(), "admin", { env: PINNED }), CRONS.tenMinutely);
    expect(await pinned()).toEqual({ pinned: 1, owner: "demo" });
  });
});
