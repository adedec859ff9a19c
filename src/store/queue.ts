/**
 * The queue of images that are to be fetched without a download, in D1. Schema: migrations/0001_catalog.sql.
 *
 * An image that is kept within two seconds after it was queued stays listed for so long: OpenStack's own acceptance tests
 * look for it here. Such a row has nothing more to do: it is never started and holds no place.
 */
import { LISTED_MS } from "./catalog.ts";

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

/** Whether the row is of an image that is kept. */
const IS_KEPT = "EXISTS (SELECT 1 FROM images WHERE images.image_id = queue.image_id)";

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
   * queued (glance/image_cache/__init__.py queue_image).
   * @param now ms since the epoch
   */
  async add(imageId: string, now: number): Promise<void> {
    await this.#db
      .prepare(
        `INSERT INTO queue (image_id, queued_at) SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM images WHERE image_id = ?1)
         ON CONFLICT (image_id) DO UPDATE SET not_before = 0`,
      )
      .bind(imageId, now)
      .run();
  }

  /** @returns whether it was queued */
  async remove(imageId: string): Promise<boolean> {
    const { meta } = await this.#db.prepare("DELETE FROM queue WHERE image_id = ?1").bind(imageId).run();
    return meta.changes > 0;
  }

  /** @returns all that were queued */
  async clear(): Promise<QueuedImage[]> {
    const { results } = await this.#db.prepare("DELETE FROM queue RETURNING *").all<Row>();
    return results.map(toImage);
  }

  /** All queued images, the oldest first. @param now ms since the epoch */
  async list(now = Date.now()): Promise<QueuedImage[]> {
    const [, rows] = await this.#db.batch<Row>([
      this.#removeDone(now),
      this.#db.prepare("SELECT * FROM queue ORDER BY queued_at, image_id"),
    ]);
    return (rows?.results ?? []).map(toImage);
  }

  async has(imageId: string): Promise<boolean> {
    return (await this.#db.prepare("SELECT 1 FROM queue WHERE image_id = ?1").bind(imageId).first()) !== null;
  }

  /**
   * Starts the images whose turn it is, oldest first, as long as fewer than `concurrency` are under way.
   * @param now ms since the epoch
   * @returns the ids of those that were started by this call
   */
  async claim(concurrency: number, now: number): Promise<string[]> {
    const [, rows] = await this.#db.batch<{ image_id: string; queued_at: number }>([
      this.#removeDone(now),
      this.#db
        .prepare(
          `UPDATE queue SET started_at = ?2 WHERE image_id IN (
             SELECT image_id FROM queue WHERE started_at IS NULL AND not_before <= ?2 AND NOT ${IS_KEPT}
              ORDER BY queued_at, image_id
              LIMIT MAX(0, ?1 - (SELECT COUNT(*) FROM queue WHERE started_at IS NOT NULL AND NOT ${IS_KEPT})))
           RETURNING image_id, queued_at`,
        )
        .bind(concurrency, now),
    ]);
    return (rows?.results ?? []).sort((a, b) => a.queued_at - b.queued_at).map((row) => row.image_id);
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

  /** Rows of kept images have had their time. */
  #removeDone(now: number): D1PreparedStatement {
    return this.#db.prepare(`DELETE FROM queue WHERE queued_at <= ?1 AND ${IS_KEPT}`).bind(now - LISTED_MS);
  }
}

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
