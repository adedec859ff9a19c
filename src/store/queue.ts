/**
 * The queue of images that are to be fetched without a download, in D1. Schema: migrations/0001_catalog.sql.
 */
import { LISTED } from "./cleared.ts";

export interface QueuedImage {
  readonly imageId: string;
  /** Times in ms since the epoch. */
  readonly queuedAt: number;
  /** Attempts that failed. */
  readonly attempts: number;
  readonly notBefore: number;
  readonly lastError: string | null;
  /** Null while it waits for its turn. */
  readonly startedAt: number | null;
}

/** A queued image as it is listed. */
export interface ListedQueued extends QueuedImage {
  /** Whether some of it is stored, or about to be: a Fill has taken room for it. */
  readonly hasRoom: boolean;
}

/** A place in the order of the queue: by time, then by id. */
export interface Place {
  /** ms since the epoch */
  readonly at: number;
  readonly imageId: string;
}

/**
 * How long a queued image is listed at the least, ms, also when it is stored sooner: who queued it looks for it there
 * (OpenStack's own acceptance tests do).
 */
export const LISTED_MS = 2_000;

/** Before every other one. */
export const BEGINNING: Place = { at: -1, imageId: "" };

/** Ids that come in one answer of D1, about half a megabyte of JSON. */
const PAGE = 10_000;

interface Row {
  image_id: string;
  queued_at: number;
  attempts: number;
  not_before: number;
  last_error: string | null;
  started_at: number | null;
}

/** Pauses after failed attempts, doubling up to the second, ms. */
const BACKOFF_MS = 60_000;
const BACKOFF_MAX_MS = 3_600_000;

/** How long an image waits after so many failed attempts, ms. */
export function backoffMs(attempts: number): number {
  return Math.min(BACKOFF_MS * 2 ** Math.max(0, attempts - 1), BACKOFF_MAX_MS);
}

export class PrefetchQueue {
  readonly #db: D1Database;

  constructor(db: D1Database) {
    this.#db = db;
  }

  /**
   * Queues an image, or lets one that waits after a failure try again at once. One that is stored already is not
   * queued (glance/image_cache/__init__.py queue_image). One that was stored, and is gone again, begins anew.
   * @param now ms since the epoch
   */
  async add(imageId: string, now: number): Promise<void> {
    await this.#db
      .prepare(
        `INSERT INTO queue (image_id, queued_at)
         SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM images WHERE image_id = ?1 AND ${LISTED})
         ON CONFLICT (image_id) DO UPDATE SET not_before = 0, stored_at = NULL, by_policy = 0,
           queued_at = CASE WHEN ${DONE} THEN excluded.queued_at ELSE queued_at END,
           started_at = CASE WHEN ${DONE} THEN NULL ELSE started_at END`,
      )
      .bind(imageId, now)
      .run();
  }

  /**
   * Queues images that PREFETCH_IMAGES names; those that are kept, or queued already, stay as they are.
   * @param now ms since the epoch
   * @returns number of those that were queued
   */
  async addByPolicy(imageIds: readonly string[], now: number): Promise<number> {
    if (imageIds.length === 0) return 0;
    const { meta } = await this.#db
      .prepare(
        `INSERT INTO queue (image_id, queued_at, by_policy)
         SELECT value, ?2, 1 FROM json_each(?1) WHERE value NOT IN (SELECT image_id FROM images)
         ON CONFLICT (image_id) DO NOTHING`,
      )
      .bind(JSON.stringify(imageIds), now)
      .run();
    return meta.changes;
  }

  /** Whether nobody but PREFETCH_IMAGES has queued the image. */
  async isByPolicy(imageId: string): Promise<boolean> {
    const row = this.#db.prepare("SELECT by_policy FROM queue WHERE image_id = ?1").bind(imageId);
    return (await row.first<number>("by_policy")) === 1;
  }

  /** @returns whether it was queued */
  async remove(imageId: string): Promise<boolean> {
    const { meta } = await this.#db.prepare("DELETE FROM queue WHERE image_id = ?1").bind(imageId).run();
    return meta.changes > 0;
  }

  /** As {@link remove} for many, in one statement. @returns how many were queued */
  async removeAll(imageIds: readonly string[]): Promise<number> {
    const { meta } = await this.#db
      .prepare("DELETE FROM queue WHERE image_id IN (SELECT value FROM json_each(?1))")
      .bind(JSON.stringify(imageIds))
      .run();
    return meta.changes;
  }

  /**
   * Takes out all images that nothing was done for yet: none was started, or has left some of it in the store.
   * @returns how many these were, and the ids of those that stay
   */
  async clearIdle(): Promise<{ readonly removed: number; readonly busy: string[] }> {
    const [, removed, busy] = await this.#db.batch<{ image_id: string }>([
      this.#db.prepare(`DELETE FROM queue WHERE ${DONE}`),
      this.#db.prepare(`DELETE FROM queue WHERE started_at IS NULL AND NOT ${HAS_ROOM}`),
      this.#db.prepare("SELECT image_id FROM queue"),
    ]);
    return { removed: removed?.meta.changes ?? 0, busy: (busy?.results ?? []).map((row) => row.image_id) };
  }

  /** The ids of all queued images, the oldest first. @param now ms since the epoch */
  async ids(now: number): Promise<string[]> {
    const ids: string[] = [];
    for (let place = BEGINNING; ; ) {
      const { results } = await this.#db
        .prepare(
          `SELECT image_id, queued_at FROM queue
            WHERE (queued_at, image_id) > (?1, ?2) AND (queued_at > ?4 OR NOT (${DONE}))
            ORDER BY queued_at, image_id LIMIT ?3`,
        )
        .bind(place.at, place.imageId, PAGE, now - LISTED_MS)
        .all<{ image_id: string; queued_at: number }>();
      for (const row of results) ids.push(row.image_id);
      const last = results.at(-1);
      if (last === undefined || results.length < PAGE) return ids;
      place = { at: last.queued_at, imageId: last.image_id };
    }
  }

  /** Queued images behind a place, the oldest first. @param limit number of them */
  async page(behind: Place, limit: number): Promise<ListedQueued[]> {
    const { results } = await this.#db
      .prepare(
        `SELECT *, ${HAS_ROOM} AS has_room FROM queue WHERE (queued_at, image_id) > (?1, ?2) AND NOT (${DONE})
          ORDER BY queued_at, image_id LIMIT ?3`,
      )
      .bind(behind.at, behind.imageId, limit)
      .all<Row & { has_room: number }>();
    return results.map((row) => ({ ...toImage(row), hasRoom: row.has_room === 1 }));
  }

  /** When an image was queued, in ms since the epoch; null when it is not. */
  async queuedAt(imageId: string): Promise<number | null> {
    return this.#db.prepare("SELECT queued_at FROM queue WHERE image_id = ?1").bind(imageId).first<number>("queued_at");
  }

  /** The ids of the images that are under way since then or longer. @param time ms since the epoch */
  async startedUntil(time: number): Promise<string[]> {
    const { results } = await this.#db
      .prepare(`SELECT image_id FROM queue WHERE started_at <= ?1 AND NOT (${DONE})`)
      .bind(time)
      .all<{ image_id: string }>();
    return results.map((row) => row.image_id);
  }

  /** How many images are queued, and how many of them have failed attempts. */
  async counts(): Promise<{ readonly queued: number; readonly failing: number }> {
    const row = await this.#db
      .prepare(
        `SELECT COUNT(*) AS queued, COUNT(*) FILTER (WHERE attempts > 0) AS failing FROM queue WHERE NOT (${DONE})`,
      )
      .first<{ queued: number; failing: number }>();
    return row ?? { queued: 0, failing: 0 };
  }

  async has(imageId: string): Promise<boolean> {
    return (await this.#db.prepare("SELECT 1 FROM queue WHERE image_id = ?1").bind(imageId).first()) !== null;
  }

  /**
   * Starts the images whose turn it is, oldest first and those of a policy last, as long as fewer than `concurrency` are under way.
   * @param now ms since the epoch
   * @returns the ids of those that were started by this call
   */
  async claim(concurrency: number, now: number): Promise<string[]> {
    const [, claimed] = await this.#db.batch<{ image_id: string; queued_at: number }>([
      this.#db.prepare(`DELETE FROM queue WHERE queued_at <= ?1 AND ${DONE}`).bind(now - LISTED_MS),
      this.#db
        .prepare(
          `UPDATE queue SET started_at = ?2 WHERE image_id IN (
             SELECT image_id FROM queue WHERE started_at IS NULL AND not_before <= ?2 AND NOT (${DONE})
              ORDER BY by_policy, queued_at, image_id
              LIMIT MAX(0, ?1 - (SELECT COUNT(*) FROM queue WHERE started_at IS NOT NULL AND NOT (${DONE}))))
           RETURNING image_id, queued_at`,
        )
        .bind(concurrency, now),
    ]);
    const results = claimed?.results ?? [];
    return results.sort((a, b) => a.queued_at - b.queued_at).map((row) => row.image_id);
  }

  /** An attempt failed: the image waits, the longer the more often it did. @param now ms since the epoch */
  async failed(imageId: string, error: string, now: number): Promise<void> {
    const row = await this.#db
      .prepare("SELECT attempts FROM queue WHERE image_id = ?1")
      .bind(imageId)
      .first<{ attempts: number }>();
    if (row === null) return;
    const attempts = row.attempts + 1;
    await this.#db
      .prepare(
        "UPDATE queue SET attempts = ?2, last_error = ?3, not_before = ?4, started_at = NULL WHERE image_id = ?1",
      )
      .bind(imageId, attempts, error, now + backoffMs(attempts))
      .run();
  }

  /** It is not the image's time yet; no attempt has failed. @param until ms since the epoch */
  async postpone(imageId: string, reason: string, until: number): Promise<void> {
    await this.#db
      .prepare("UPDATE queue SET last_error = ?2, not_before = ?3, started_at = NULL WHERE image_id = ?1")
      .bind(imageId, reason, until)
      .run();
  }
}

/** Whether a Fill has taken room for the image of a row. */
const HAS_ROOM = "(image_id IN (SELECT image_id FROM fills))";

/**
 * Stored already: such a row is only listed, for as long as {@link LISTED_MS} says. Not told by `images`: an image that is
 * taken out of the cache again is nobody's wish to have it fetched.
 */
const DONE = "stored_at IS NOT NULL";

function toImage(row: Row): QueuedImage {
  return {
    imageId: row.image_id,
    queuedAt: row.queued_at,
    attempts: row.attempts,
    notBefore: row.not_before,
    lastError: row.last_error,
    startedAt: row.started_at,
  };
}
