/**
 * Brings R2 and its index together again: slices that no fill is at go, rows without an object go, objects without a row get
 * one, room that no fill has any more is given back, and what images take is summed up anew. Never judged by D1: whether an
 * attempt is still at work only its image's Fill knows. Each part is bounded and goes on next time.
 */
import type { Edge } from "../context.ts";
import { FillClient } from "../fill/client.ts";
import type { Attempt } from "../store/slices.ts";

/** Rows that are looked at in one run, each with one look into R2. */
const ROWS = 2_000;
const ROW_PAGE = 100;
/** Pages of 1,000 objects or slices that are looked at in one run. */
const PAGES = 200;
/** Fills that are asked in one run about room that they have taken: more of them than one edge ever runs. */
const TAKERS = 1_000;
/** An invocation has six connections (Workers limits page), and others want some. */
const AT_ONCE = 4;

export interface Cleaned {
  /** Attempts whose slices were nobody's any more. */
  readonly attempts: number;
  /** Attempts that had taken room, and were nobody's any more. */
  readonly released: number;
  /** Images whose rows are gone, because they are not kept. */
  readonly rows: number;
  /** Kept images that the index did not know. */
  readonly adopted: number;
  /** Objects under `images/` that no fill has put: removed. */
  readonly foreign: number;
  /** Whether this run has seen everything to the end. */
  readonly finished: boolean;
}

type CleanTools = Pick<Edge, "catalog" | "objects" | "room" | "slices" | "cursors" | "fills" | "now" | "log">;

/**
 * @param deadline ms since the epoch: nothing new is begun after it
 * @throws whatever D1 or R2 throw
 */
export async function clean(edge: CleanTools, deadline: number): Promise<Cleaned> {
  const late = () => edge.now() >= deadline;
  const attempts = await removeOrphans(edge, late);
  const released = await releaseRoom(edge, late);
  const rows = await dropRows(edge, late);
  const objects = await adopt(edge, late);
  if (!late()) await edge.room.recount();
  return {
    attempts: attempts.count,
    released,
    rows: rows.count,
    adopted: objects.adopted,
    foreign: objects.foreign,
    finished: attempts.finished && rows.finished && objects.finished,
  };
}

/** Asks each image's Fill about the attempts that have slices. */
async function removeOrphans(edge: CleanTools, late: () => boolean): Promise<{ count: number; finished: boolean }> {
  const { slices, cursors } = edge;
  let count = 0;
  let cursor = await cursors.read("clean.slices");
  for (let pages = 0; pages < PAGES && !late(); pages++) {
    const { found, next } = await slices.attemptsAfter(cursor);
    count += await cleanAttempts(edge, found, late);
    // The page is not done: the next run has it again, without what is gone.
    if (late()) break;
    cursor = next ?? "";
    await cursors.write("clean.slices", cursor);
    if (next === null) return { count, finished: true };
  }
  return { count, finished: false };
}

/** Room of attempts that have no slices, and that nobody is at. */
async function releaseRoom(edge: CleanTools, late: () => boolean): Promise<number> {
  if (late()) return 0;
  return cleanAttempts(edge, await edge.room.takers(TAKERS), late);
}

/** @returns number of those that were removed */
async function cleanAttempts(
  { fills, log }: CleanTools,
  attempts: readonly Attempt[],
  late: () => boolean,
): Promise<number> {
  let count = 0;
  for (let at = 0; at < attempts.length && !late(); at += AT_ONCE) {
    const some = attempts.slice(at, at + AT_ONCE);
    const answers = await Promise.all(
      some.map(({ imageId, attempt }) => new FillClient(fills, imageId, log).clean(attempt)),
    );
    for (const [index, { imageId, attempt }] of some.entries()) {
      if (answers[index] !== "removed") continue;
      log.info("clean.removed", { image_id: imageId, attempt });
      count++;
    }
  }
  return count;
}

async function dropRows(edge: CleanTools, late: () => boolean): Promise<{ count: number; finished: boolean }> {
  const { catalog, objects, cursors, log } = edge;
  let count = 0;
  let cursor = await cursors.read("clean.rows");
  for (let seen = 0; seen < ROWS && !late(); ) {
    const rows = await catalog.after(cursor, ROW_PAGE);
    if (rows.length === 0) cursor = "";
    for (let at = 0; at < rows.length && !late(); at += AT_ONCE) {
      const some = rows.slice(at, at + AT_ONCE);
      const there = await Promise.all(some.map(({ imageId }) => objects.head(imageId)));
      for (const [index, row] of some.entries()) {
        cursor = row.imageId;
        // Of this attempt alone: another one's row may have come since.
        if (there[index] !== null || !(await catalog.removeAttempt(row))) continue;
        log.info("image.evicted", { image_id: row.imageId, why: "it is not in R2 any more" });
        count++;
      }
    }
    seen += rows.length;
    await cursors.write("clean.rows", cursor);
    if (cursor === "") return { count, finished: true };
  }
  return { count, finished: false };
}

/** Gives every kept image a row, and removes what no fill has put there. */
async function adopt(
  edge: CleanTools,
  late: () => boolean,
): Promise<{ adopted: number; foreign: number; finished: boolean }> {
  const { catalog, objects, cursors, fills, log } = edge;
  let adopted = 0;
  let foreign = 0;
  let cursor = await cursors.read("clean.objects");
  for (let pages = 0; pages < PAGES && !late(); pages++) {
    const page = await objects.listAfter(cursor);
    adopted += await catalog.adopt(page.images);
    for (const imageId of page.foreign) {
      if (late()) return { adopted, foreign, finished: false };
      if ((await new FillClient(fills, imageId, log).clean(null)) !== "removed") continue;
      log.info("clean.foreign", { image_id: imageId });
      foreign++;
    }
    cursor = page.next ?? "";
    await cursors.write("clean.objects", cursor);
    if (page.next === null) return { adopted, foreign, finished: true };
  }
  return { adopted, foreign, finished: false };
}
