/**
 * The index of kept images in D1: what lists, the order of use and the upkeep look at. R2 is the truth; a row that is wrong
 * costs a list, never a byte. Schema: migrations/0001_catalog.sql, 0003_growth.sql.
 */
import { CLEARED, LISTED, UNLISTED } from "./cleared.ts";
import type { Candidate } from "./least-recently-used.ts";
import { LISTED_MS, type Place } from "./queue.ts";

/** How long a newly kept image counts as in use, ms: those who followed its fill go on reading it. */
const FRESH_MS = 60_000;

/** A kept image as lists show it. Times in ms since the epoch. */
export interface ListedImage {
  readonly imageId: string;
  /** Bytes. */
  readonly size: number;
  readonly hits: number;
  readonly lastAccessed: number;
  readonly committedAt: number;
}

/** What became of an image since the last time that it was told. Times in ms since the epoch. */
export interface Use {
  readonly imageId: string;
  readonly hits: number;
  readonly lastAccessed: number;
  readonly inUseUntil: number;
}

/** What the index knows a kept image by. */
export interface Indexed {
  readonly imageId: string;
  readonly attempt: string;
  /** Bytes. */
  readonly size: number;
}

/** What the origin's record says of an image; null: nobody knows. */
export interface Described {
  readonly name: string | null;
  readonly owner: string | null;
  readonly pinned: boolean | null;
}

/** In column `pinned`: what the record says later does not change it. 1 is by the setting. */
export const BY_HAND = 2;

/** Rows of one statement's answer: some 100 bytes each. */
const PAGE = 10_000;

export class Catalog {
  readonly #db: D1Database;

  constructor(db: D1Database) {
    this.#db = db;
  }

  async has(imageId: string): Promise<boolean> {
    return (await this.stateOf(imageId)) === "kept";
  }

  /** @returns `"cleared"`: it is not in the cache any more, though its Fill has not removed it yet */
  async stateOf(imageId: string): Promise<"kept" | "cleared" | "none"> {
    const listed = await this.#db
      .prepare(`SELECT ${LISTED} AS listed FROM images WHERE image_id = ?1`)
      .bind(imageId)
      .first<number>("listed");
    return listed === null ? "none" : listed === 1 ? "kept" : "cleared";
  }

  async count(): Promise<number> {
    return (await this.#db.prepare("SELECT images FROM held WHERE whose = 'all'").first<number>("images")) ?? 0;
  }

  /** All kept images, the least recently used first. */
  async list(): Promise<ListedImage[]> {
    const images: ListedImage[] = [];
    for (let last = { lastAccessed: -1, imageId: "" }; ; ) {
      const { results } = await this.#db
        .prepare(
          `SELECT image_id, size, hits, last_accessed, committed_at FROM images
            WHERE (last_accessed, image_id) > (?1, ?2) AND ${LISTED} ORDER BY last_accessed, image_id LIMIT ?3`,
        )
        .bind(last.lastAccessed, last.imageId, PAGE)
        .all<{ image_id: string; size: number; hits: number; last_accessed: number; committed_at: number }>();
      for (const row of results) {
        images.push({
          imageId: row.image_id,
          size: row.size,
          hits: row.hits,
          lastAccessed: row.last_accessed,
          committedAt: row.committed_at,
        });
      }
      const end = images.at(-1);
      if (end === undefined || results.length < PAGE) return images;
      last = end;
    }
  }

  /**
   * An image is kept. Nothing waits in the queue for it then, and of its fill's room the half for the slices is left.
   * @param now ms since the epoch
   */
  async keep(image: Indexed & Partial<Described>, now: number): Promise<void> {
    const { imageId, attempt, size, name = null, owner = null, pinned = null } = image;
    await this.#db.batch([
      this.#db
        .prepare(
          `INSERT INTO images (image_id, attempt, size, name, owner, pinned, committed_at, last_accessed, in_use_until,
                               verified_at, scrubbed_at)
           VALUES (?1, ?2, ?3, ?6, ?7, COALESCE(?8, 0), ?4, ?4, ?5, ?4, ?4)
           ON CONFLICT (image_id) DO UPDATE SET attempt = ?2, size = ?3, committed_at = ?4, name = COALESCE(?6, name),
             owner = COALESCE(?7, owner), last_accessed = MAX(last_accessed, ?4), in_use_until = ?5, verified_at = ?4,
             scrubbed_at = ?4, pinned = CASE pinned WHEN ${BY_HAND} THEN pinned ELSE COALESCE(?8, pinned) END`,
        )
        .bind(imageId, attempt, size, now, now + FRESH_MS, name, owner, pinned === null ? null : Number(pinned)),
      this.#db.prepare("UPDATE fills SET bytes = size WHERE attempt = ?1").bind(attempt),
      // One that was queued a moment ago is listed a little longer: who queued it looks for it there.
      this.#db.prepare("DELETE FROM queue WHERE image_id = ?1 AND queued_at <= ?2").bind(imageId, now - LISTED_MS),
      this.#db.prepare("UPDATE queue SET stored_at = ?2, started_at = NULL WHERE image_id = ?1").bind(imageId, now),
    ]);
  }

  /** A kept image is gone. */
  async remove(imageId: string): Promise<void> {
    await this.#db.prepare("DELETE FROM images WHERE image_id = ?1").bind(imageId).run();
  }

  /** What was kept of an image by this attempt is gone. @returns whether there was a row of it */
  async removeAttempt({ imageId, attempt }: Pick<Indexed, "imageId" | "attempt">): Promise<boolean> {
    const { meta } = await this.#db
      .prepare("DELETE FROM images WHERE image_id = ?1 AND attempt = ?2")
      .bind(imageId, attempt)
      .run();
    return meta.changes > 0;
  }

  /** Pins an image by hand, or takes any pin off it. @returns whether it is kept */
  async pin(imageId: string, pinned: boolean): Promise<boolean> {
    const { meta } = await this.#db
      .prepare(`UPDATE images SET pinned = ?2 WHERE image_id = ?1 AND ${LISTED}`)
      .bind(imageId, pinned ? BY_HAND : 0)
      .run();
    return meta.changes > 0;
  }

  /** Adds what R2 holds and the index does not know; what it knows stays. @param now ms since the epoch */
  async adopt(images: readonly (Indexed & { readonly storedAt: number })[]): Promise<number> {
    if (images.length === 0) return 0;
    // Counted by what it returns: `meta.changes` has those of the sums as well.
    const { results } = await this.#db
      .prepare(
        `INSERT INTO images (image_id, attempt, size, committed_at, last_accessed, verified_at, scrubbed_at)
         SELECT value ->> 'imageId', value ->> 'attempt', value ->> 'size', value ->> 'storedAt', value ->> 'storedAt',
                value ->> 'storedAt', value ->> 'storedAt' FROM json_each(?1) WHERE true
         ON CONFLICT (image_id) DO UPDATE SET attempt = excluded.attempt, size = excluded.size
           WHERE images.attempt <> excluded.attempt
         RETURNING 1`,
      )
      .bind(JSON.stringify(images))
      .all();
    return results.length;
  }

  /** Images behind this one, in the order of their ids. @param limit number of them */
  async after(imageId: string, limit: number): Promise<Indexed[]> {
    const { results } = await this.#db
      .prepare("SELECT image_id, attempt, size FROM images WHERE image_id > ?1 ORDER BY image_id LIMIT ?2")
      .bind(imageId, limit)
      .all<{ image_id: string; attempt: string; size: number }>();
    return results.map(({ image_id, attempt, size }) => ({ imageId: image_id, attempt, size }));
  }

  /**
   * The least recently used images first, pinned ones behind all others.
   * @param limit number of them
   * @param owner of a project's images alone; null: of all
   */
  async candidates(limit: number, owner: string | null = null): Promise<Candidate[]> {
    const { results } = await this.#db
      .prepare(
        `SELECT image_id, size, last_accessed, in_use_until, pinned FROM images ${owner === null ? "" : "WHERE owner = ?2"}
          ORDER BY pinned > 0, last_accessed, image_id LIMIT ?1`,
      )
      .bind(limit, ...(owner === null ? [] : [owner]))
      .all<{ image_id: string; size: number; last_accessed: number; in_use_until: number; pinned: number }>();
    return results.map((row) => ({
      imageId: row.image_id,
      size: row.size,
      lastAccessed: row.last_accessed,
      inUseUntil: row.in_use_until,
      pinned: row.pinned !== 0,
    }));
  }

  /**
   * Clears the index: what is in it now is listed no more, and goes as {@link cleared} tells.
   * @param now ms since the epoch
   * @returns number of images
   */
  async clear(now: number): Promise<number> {
    const [listed] = await this.#db.batch<{ images: number }>([
      this.#db.prepare(`SELECT COUNT(*) AS images FROM images WHERE ${LISTED}`),
      this.#db
        .prepare(
          `INSERT INTO upkeep (task, cursor) VALUES ('${CLEARED}', ?1)
           ON CONFLICT (task) DO UPDATE SET cursor = excluded.cursor`,
        )
        .bind(String(now)),
    ]);
    return listed?.results[0]?.images ?? 0;
  }

  /** Images that were cleared, and are still kept: those behind a place, by their commit. @param limit number of them */
  async cleared(behind: Place, limit: number): Promise<Place[]> {
    const { results } = await this.#db
      .prepare(
        `SELECT image_id, committed_at FROM images WHERE (committed_at, image_id) > (?1, ?2) AND ${UNLISTED}
          ORDER BY committed_at, image_id LIMIT ?3`,
      )
      .bind(behind.at, behind.imageId, limit)
      .all<{ image_id: string; committed_at: number }>();
    return results.map(({ image_id, committed_at }) => ({ at: committed_at, imageId: image_id }));
  }

  /**
   * Counts hits and notes until when images may be in use, all in one statement.
   * @param uses of different images
   */
  async recordUse(uses: readonly Use[]): Promise<void> {
    await this.#db
      .prepare(
        `UPDATE images SET hits = images.hits + use.hits, last_accessed = MAX(images.last_accessed, use.last_accessed),
                in_use_until = MAX(images.in_use_until, use.in_use_until)
           FROM (SELECT value ->> 'imageId' AS image_id, value ->> 'hits' AS hits,
                        value ->> 'lastAccessed' AS last_accessed, value ->> 'inUseUntil' AS in_use_until
                   FROM json_each(?1)) AS use
          WHERE images.image_id = use.image_id`,
      )
      .bind(JSON.stringify(uses))
      .run();
  }

  /** The images that the scrub has not tried for the longest time, the longest first. @param limit number of them */
  async leastScrubbed(limit: number): Promise<Indexed[]> {
    const { results } = await this.#db
      .prepare("SELECT image_id, attempt, size FROM images ORDER BY scrubbed_at, image_id LIMIT ?1")
      .bind(limit)
      .all<{ image_id: string; attempt: string; size: number }>();
    return results.map(({ image_id, attempt, size }) => ({ imageId: image_id, attempt, size }));
  }

  /** Notes that the scrub tries an image. @param now ms since the epoch */
  async scrubbing(imageId: string, now: number): Promise<void> {
    await this.#db.prepare("UPDATE images SET scrubbed_at = ?2 WHERE image_id = ?1").bind(imageId, now).run();
  }

  /** Notes that all of an image was read and matched. @param now ms since the epoch */
  async verified(imageId: string, attempt: string, now: number): Promise<void> {
    await this.#db
      .prepare("UPDATE images SET verified_at = ?3 WHERE image_id = ?1 AND attempt = ?2")
      .bind(imageId, attempt, now)
      .run();
  }

  /** The images that the origin was not asked about for the longest time, the longest first. */
  async leastReconciled(limit: number): Promise<string[]> {
    const { results } = await this.#db
      .prepare("SELECT image_id FROM images ORDER BY reconciled_at, image_id LIMIT ?1")
      .bind(limit)
      .all<{ image_id: string }>();
    return results.map((row) => row.image_id);
  }

  /**
   * Notes that the origin was asked about these images, and what it says of them now.
   * @param now ms since the epoch
   */
  async reconciled(asked: readonly (Described & { readonly imageId: string })[], now: number): Promise<void> {
    await this.#db
      .prepare(
        `UPDATE images SET reconciled_at = ?2, name = COALESCE(asked.name, images.name),
                owner = COALESCE(asked.owner, images.owner),
                pinned = CASE images.pinned WHEN ${BY_HAND} THEN images.pinned
                                            ELSE COALESCE(asked.pinned, images.pinned) END
           FROM (SELECT value ->> 'imageId' AS image_id, value ->> 'name' AS name, value ->> 'owner' AS owner,
                        value ->> 'pinned' AS pinned FROM json_each(?1)) AS asked
          WHERE images.image_id = asked.image_id`,
      )
      .bind(JSON.stringify(asked), now)
      .run();
  }
}
