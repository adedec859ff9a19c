/**
 * The room in R2, as a sum in D1: kept images, and what fills have taken before their first slice. It never exceeds
 * CACHE_MAX_BYTES but for fills that ran while D1 was away. Schema: migrations/0001_catalog.sql, 0003_growth.sql.
 */

import { roomFor } from "./least-recently-used.ts";
import type { Place } from "./queue.ts";

export interface Taker {
  readonly imageId: string;
  readonly attempt: string;
  /** Bytes of the image. */
  readonly size: number;
  /** The image's project, whose share of the room it takes from; null or left out: nobody's. */
  readonly owner?: string | null;
}

/** Bytes that may be taken, those of fills included. */
export interface Caps {
  /** By everything together. */
  readonly cacheMaxBytes: number;
  /** By one project's images. */
  readonly ownerMaxBytes: number;
}

/** An image whose fill has room. */
export interface RunningFill {
  readonly imageId: string;
  /** Bytes of the image. */
  readonly size: number;
  /** ms since the epoch */
  readonly since: number;
}

/** Bytes. */
export interface Room {
  readonly kept: number;
  readonly filling: number;
}

/** What an image's project may have: all, where it is nobody's. */
export function capOf(owner: string | null | undefined, { cacheMaxBytes, ownerMaxBytes }: Caps): number {
  return typeof owner === "string" ? ownerMaxBytes : cacheMaxBytes;
}

/** Whether an image would have room if there were no other. */
export function mayFit({ size, owner }: Pick<Taker, "size" | "owner">, caps: Caps): boolean {
  return roomFor(size) <= capOf(owner, caps);
}

/** Bytes in SQL: of all kept images; of the project in a parameter; and what its fills have, or all of them. */
const KEPT = "(SELECT COALESCE(SUM(bytes), 0) FROM held WHERE whose = 'all')";
const FILLING = "(SELECT COALESCE(SUM(bytes), 0) FROM fills)";
const keptBy = (owner: string) => `(SELECT COALESCE(SUM(bytes), 0) FROM held WHERE whose = 'owner:' || ${owner})`;
const fillingFor = (owner: string) => `(SELECT COALESCE(SUM(bytes), 0) FROM fills WHERE owner = ${owner})`;

export class RoomBook {
  readonly #db: D1Database;

  constructor(db: D1Database) {
    this.#db = db;
  }

  /** Sums up anew what kept images take: triggers keep the sums (migrations/0003_growth.sql), but not over rows that were loaded by hand. */
  async recount(): Promise<void> {
    await this.#db.batch([
      this.#db.prepare("DELETE FROM held"),
      this.#db.prepare("INSERT INTO held SELECT 'all', COUNT(*), COALESCE(SUM(size), 0) FROM images"),
      this.#db.prepare(
        `INSERT INTO held SELECT 'owner:' || COALESCE(owner, ''), COUNT(*), SUM(size) FROM images
          GROUP BY COALESCE(owner, '')`,
      ),
    ]);
  }

  /**
   * Takes room for an attempt, all of it or none.
   * @param now ms since the epoch
   * @returns whether it has its room now; true as well when it had it before
   */
  async take(taker: Taker, caps: Caps, now: number): Promise<boolean> {
    const { attempt, imageId, size, owner = null } = taker;
    const [, row] = await this.#db.batch([
      this.#db
        .prepare(
          `INSERT INTO fills (attempt, image_id, size, bytes, since, owner)
           SELECT ?1, ?2, ?3, ?4, ?6, ?7
            WHERE ?4 + ${KEPT} + ${FILLING} <= ?5 AND ?4 + ${keptBy("?7")} + ${fillingFor("?7")} <= ?8
           ON CONFLICT (attempt) DO NOTHING`,
        )
        .bind(attempt, imageId, size, roomFor(size), caps.cacheMaxBytes, now, owner, capOf(owner, caps)),
      this.#db.prepare("SELECT 1 FROM fills WHERE attempt = ?1").bind(attempt),
    ]);
    return (row?.results.length ?? 0) > 0;
  }

  /** Gives an attempt's room back, after its slices have gone. */
  async release(attempt: string): Promise<void> {
    await this.#db.prepare("DELETE FROM fills WHERE attempt = ?1").bind(attempt).run();
  }

  async sums(): Promise<Room> {
    const row = await this.#db.prepare(`SELECT ${KEPT} AS kept, ${FILLING} AS filling`).first<Room>();
    return row ?? { kept: 0, filling: 0 };
  }

  /** What one project has; nothing for nobody. */
  async sumsOf(owner: string | null): Promise<Room> {
    const row = await this.#db
      .prepare(`SELECT ${keptBy("?1")} AS kept, ${fillingFor("?1")} AS filling`)
      .bind(owner)
      .first<Room>();
    return row ?? { kept: 0, filling: 0 };
  }

  /** Projects whose kept images have more than so many bytes. */
  async ownersAbove(bytes: number): Promise<{ readonly owner: string; readonly kept: number }[]> {
    const { results } = await this.#db
      .prepare("SELECT substr(whose, 7) AS owner, bytes AS kept FROM held WHERE whose > 'owner:' AND bytes > ?1")
      .bind(bytes)
      .all<{ owner: string; kept: number }>();
    return results;
  }

  /** Attempts that have taken room, the oldest first. @param limit number of them */
  async takers(limit: number): Promise<Taker[]> {
    const { results } = await this.#db
      .prepare("SELECT image_id, attempt, size FROM fills ORDER BY since, image_id LIMIT ?1")
      .bind(limit)
      .all<{ image_id: string; attempt: string; size: number }>();
    return results.map(({ image_id, attempt, size }) => ({ imageId: image_id, attempt, size }));
  }

  /** Images that are not queued, and whose fill has room, behind a place, the oldest fill first. @param limit number of them */
  async unqueued(behind: Place, limit: number): Promise<(Place & { readonly size: number })[]> {
    const { results } = await this.#db
      .prepare(
        `SELECT image_id, MIN(since) AS since, size FROM fills WHERE image_id NOT IN (SELECT image_id FROM queue)
          GROUP BY image_id HAVING (MIN(since), image_id) > (?1, ?2) ORDER BY MIN(since), image_id LIMIT ?3`,
      )
      .bind(behind.at, behind.imageId, limit)
      .all<{ image_id: string; since: number; size: number }>();
    return results.map(({ image_id, since, size }) => ({ imageId: image_id, at: since, size }));
  }

  /** Images whose fill has room, the oldest first. @param limit number of them */
  async running(limit: number): Promise<RunningFill[]> {
    const { results } = await this.#db
      .prepare(
        `SELECT image_id, size, MIN(since) AS since FROM fills GROUP BY image_id ORDER BY MIN(since), image_id LIMIT ?1`,
      )
      .bind(limit)
      .all<{ image_id: string; size: number; since: number }>();
    return results.map(({ image_id, size, since }) => ({ imageId: image_id, size, since }));
  }

  /** Since when an image's fill has room, in ms since the epoch; null when none has. */
  async since(imageId: string): Promise<number | null> {
    return this.#db
      .prepare("SELECT MIN(since) AS since FROM fills WHERE image_id = ?1")
      .bind(imageId)
      .first<number>("since");
  }
}
