/**
 * Clears away what belongs to nobody: fills that have stalled, slices that no row names, rows whose slices are gone. Each
 * part asks the one who knows before it takes anything, so a fill under way is safe: a generation has its row in D1 before
 * its first slice, and the Fill itself says whether it still works on it. Each part is bounded and goes on next time.
 */
import type { Edge } from "../edge.ts";
import { FillClient } from "../fill/client.ts";
import type { Generation } from "../store/generations.ts";
import { removeCondemned, sweep } from "../store/store.ts";

/** Rows that are looked at in one run, each with one list of R2. */
const ROWS = 500;
/** Pages of 1,000 slices that are looked at in one run: with slices of 8 MiB about 1.5 TiB. */
const PAGES = 200;
/** Generations and rows that are looked at in one go. */
const BATCH = 100;
/** Fills that are asked in one run: more of them than one edge ever runs. */
const FILLS = 1_000;

export interface Cleaned {
  /** Fills that had stalled, and were dropped. */
  readonly stalled: number;
  /** Generations that were given up before, whose slices are gone now. */
  readonly condemned: number;
  /** Generations with slices that nothing named. */
  readonly orphans: number;
  /** Images whose rows are gone, because their slices were. */
  readonly rows: number;
  /** Whether this run has seen everything to the end. */
  readonly finished: boolean;
}

type CleanTools = Pick<
  Edge,
  "catalog" | "generations" | "slices" | "cursors" | "rounds" | "fills" | "settings" | "now" | "log"
>;

/**
 * @param deadline ms since the epoch: nothing new is begun after it
 * @throws whatever D1 or R2 throw
 */
export async function clean(edge: CleanTools, deadline: number): Promise<Cleaned> {
  const late = () => edge.now() >= deadline;
  const stalled = await dropStalled(edge, late);
  const condemned = await removeLeftovers(edge, late);
  const rows = await dropEmptyRows(edge, late);
  const orphans = await removeOrphans(edge, late);
  return { stalled, condemned, orphans: orphans.count, rows: rows.count, finished: orphans.finished && rows.finished };
}

/** Asks each Fill about what it is said to store. */
async function dropStalled(edge: CleanTools, late: () => boolean): Promise<number> {
  const { generations, fills, settings, log, now } = edge;
  let stalled = 0;
  for (const { imageId, blob, generation } of await generations.filling(FILLS)) {
    if (late()) break;
    const answer = await new FillClient(fills, imageId, log).clean(generation, settings.cleanStallMs);
    if (answer === "removed") stalled++;
    if (answer !== "unknown") continue;
    // Its Fill has dropped it and could not tell.
    if (await generations.condemn(generation, now()))
      log.info("clean.abandoned", { image_id: imageId, blob, generation });
  }
  return stalled;
}

/** Slices of generations that were given up by somebody who did not live to remove them. */
async function removeLeftovers(edge: CleanTools, late: () => boolean): Promise<number> {
  await edge.catalog.evictUnowned(edge.now());
  return sweep(edge, late);
}

/** Rows whose slices are all gone. One that lacks some is mended by its next download. */
async function dropEmptyRows(edge: CleanTools, late: () => boolean): Promise<{ count: number; finished: boolean }> {
  const { catalog, rounds, slices, cursors, log, now } = edge;
  let count = 0;
  let cursor = await cursors.read("clean.rows");
  for (let seen = 0; seen < ROWS && !late(); seen += BATCH) {
    const blobs = await rounds.blobsAfter(cursor, BATCH);
    for (const { blob, generation } of blobs) {
      if (late()) break;
      if (await slices.isEmpty(blob, generation)) {
        const { images, orphans } = await catalog.evictBlobs([generation], "none", now());
        for (const imageId of images) log.info("image.evicted", { image_id: imageId, why: "its slices are gone" });
        await removeCondemned(edge, orphans);
        count += images.length;
      }
      cursor = blob;
    }
    if (blobs.length < BATCH && cursor === (blobs.at(-1)?.blob ?? cursor)) {
      await cursors.write("clean.rows", "");
      return { count, finished: true };
    }
    await cursors.write("clean.rows", cursor);
  }
  return { count, finished: false };
}

/** Slices that neither the catalog nor a fill names. Listed first and looked up then: a row is older than its slices. */
async function removeOrphans(edge: CleanTools, late: () => boolean): Promise<{ count: number; finished: boolean }> {
  const { slices, generations, cursors, log } = edge;
  let count = 0;
  let cursor = await cursors.read("clean.slices");
  for (let pages = 0; pages < PAGES && !late(); pages++) {
    const { found, next } = await slices.generationsAfter(cursor);
    for (const orphan of await unknownOf(generations, found)) {
      // The cursor stays: the next run finds what is left of this page.
      if (late()) return { count, finished: false };
      log.info("clean.orphan", { blob: orphan.blob, generation: orphan.generation });
      await slices.removeGeneration(orphan.blob, orphan.generation);
      count++;
    }
    cursor = next ?? "";
    await cursors.write("clean.slices", cursor);
    if (next === null) return { count, finished: true };
  }
  return { count, finished: false };
}

async function unknownOf(generations: Edge["generations"], found: readonly Generation[]): Promise<Generation[]> {
  if (found.length === 0) return [];
  const known = await generations.known(found.map(({ generation }) => generation));
  return found.filter(({ generation }) => !known.has(generation));
}
