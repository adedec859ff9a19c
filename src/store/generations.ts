/**
 * The room in R2. Every generation has a row before its first slice is stored, here while it is being filled or removed
 * and in `blobs` once it is committed; so the sum of both is what R2 holds at most, and it never exceeds the cap. (A slice
 * that was on its way while its generation was given up may be there a moment longer: who put it removes it, or clean.)
 * Schema: migrations/0002_manage.sql.
 */

import type { Place } from "./queue.ts";

/** One attempt to store one content. */
export interface Generation {
  readonly blob: string;
  readonly generation: string;
}

export interface Filling extends Generation {
  readonly imageId: string;
  /** Bytes of the whole image. */
  readonly size: number;
}

/** An image that is being filled. */
export interface FillingImage {
  readonly imageId: string;
  /** ms since the epoch */
  readonly since: number;
  /** Bytes of the whole image. */
  readonly size: number;
}

/** Bytes of all generations by what becomes of them. */
export interface Room {
  readonly committed: number;
  readonly filling: number;
  readonly removing: number;
}

/** A committed blob as the choice of what to give up sees it. Times in ms since the epoch. */
export interface Candidate extends Generation {
  /** Bytes. */
  readonly size: number;
  /** Of all its images; the commit counts. */
  readonly lastAccessed: number;
  readonly inUseUntil: number;
}

interface Row {
  blob: string;
  generation: string;
  image_id: string;
  size: number;
}

export class Generations {
  readonly #db: D1Database;

  constructor(db: D1Database) {
    this.#db = db;
  }

  /**
   * Takes room for a generation, all of it or none.
   * @param cap bytes that all generations may have together
   * @param now ms since the epoch
   * @returns whether it has its room now; true as well when it had it before
   */
  async reserve(filling: Filling, cap: number, now: number): Promise<boolean> {
    const { generation, blob, imageId, size } = filling;
    const [, row] = await this.#db.batch<{ state: string }>([
      this.#db
        .prepare(
          `INSERT INTO generations (generation, blob, image_id, size, state, since)
           SELECT ?1, ?2, ?3, ?4, 'filling', ?6
            WHERE ?1 NOT IN (SELECT generation FROM blobs)
              AND ?4 + (SELECT COALESCE(SUM(size), 0) FROM blobs) + (SELECT COALESCE(SUM(size), 0) FROM generations) <= ?5
           ON CONFLICT (generation) DO NOTHING`,
        )
        .bind(generation, blob, imageId, size, cap, now),
      this.#db.prepare("SELECT state FROM generations WHERE generation = ?1").bind(generation),
    ]);
    return row?.results[0]?.state === "filling";
  }

  /**
   * Gives a generation up, unless it is committed: an image with the same content may need it.
   * @param now ms since the epoch
   * @returns whether its slices are to be removed; it can't be committed any more then
   */
  async condemn(generation: string, now: number): Promise<boolean> {
    const [, committed] = await this.#db.batch([
      this.#db
        .prepare(
          `UPDATE generations SET state = 'removing', since = ?2
            WHERE generation = ?1 AND state = 'filling' AND generation NOT IN (SELECT generation FROM blobs)`,
        )
        .bind(generation, now),
      this.#db.prepare("SELECT 1 FROM blobs WHERE generation = ?1").bind(generation),
    ]);
    return (committed?.results.length ?? 0) === 0;
  }

  /** Gives the room of generations back, after their slices have gone. */
  async release(generations: readonly string[]): Promise<void> {
    await this.#db
      .prepare("DELETE FROM generations WHERE generation IN (SELECT value FROM json_each(?1))")
      .bind(JSON.stringify(generations))
      .run();
  }

  async room(): Promise<Room> {
    const { results } = await this.#db
      .prepare(
        `SELECT 'committed' AS state, COALESCE(SUM(size), 0) AS bytes FROM blobs
         UNION ALL SELECT state, SUM(size) FROM generations GROUP BY state`,
      )
      .all<{ state: keyof Room; bytes: number }>();
    const bytes = (state: keyof Room) => results.find((row) => row.state === state)?.bytes ?? 0;
    return { committed: bytes("committed"), filling: bytes("filling"), removing: bytes("removing") };
  }

  /** Committed blobs, the least recently used first. @param limit number of them */
  async candidates(limit: number): Promise<Candidate[]> {
    const { results } = await this.#db
      .prepare(
        `SELECT blob, generation, size, COALESCE(MAX(last_accessed), 0) AS last_accessed,
                COALESCE(MAX(in_use_until), 0) AS in_use_until
           FROM blobs LEFT JOIN images USING (blob) GROUP BY blob ORDER BY last_accessed, blob LIMIT ?1`,
      )
      .bind(limit)
      .all<{ blob: string; generation: string; size: number; last_accessed: number; in_use_until: number }>();
    return results.map(({ blob, generation, size, last_accessed, in_use_until }) => ({
      blob,
      generation,
      size,
      lastAccessed: last_accessed,
      inUseUntil: in_use_until,
    }));
  }

  /** Generations that are being filled, the oldest first. */
  async filling(limit: number): Promise<Filling[]> {
    return (await this.#inState("filling", limit)).map(({ blob, generation, image_id, size }) => ({
      blob,
      generation,
      imageId: image_id,
      size,
    }));
  }

  /**
   * Images that are being filled and are not queued, by when that began, behind a place in this order.
   * @param limit number of them
   */
  async fillingUnqueued(behind: Place, limit: number): Promise<FillingImage[]> {
    const { results } = await this.#db
      .prepare(
        `SELECT image_id, MIN(since) AS since, size FROM generations
          WHERE state = 'filling' AND image_id NOT IN (SELECT image_id FROM queue)
          GROUP BY image_id HAVING (MIN(since), image_id) > (?1, ?2) ORDER BY MIN(since), image_id LIMIT ?3`,
      )
      .bind(behind.at, behind.imageId, limit)
      .all<{ image_id: string; since: number; size: number }>();
    return results.map(({ image_id, since, size }) => ({ imageId: image_id, since, size }));
  }

  /** Since when an image is being filled, in ms since the epoch; null when it is not. */
  async fillingSince(imageId: string): Promise<number | null> {
    return this.#db
      .prepare("SELECT MIN(since) AS since FROM generations WHERE state = 'filling' AND image_id = ?1")
      .bind(imageId)
      .first<number | null>("since");
  }

  /** Generations whose slices are to be removed, the oldest first. */
  async removing(limit: number): Promise<Generation[]> {
    return (await this.#inState("removing", limit)).map(({ blob, generation }) => ({ blob, generation }));
  }

  /** Those of these generations that are committed, being filled or being removed. */
  async known(generations: readonly string[]): Promise<Set<string>> {
    const { results } = await this.#db
      .prepare(
        `SELECT value AS generation FROM json_each(?1)
          WHERE value IN (SELECT generation FROM blobs) OR value IN (SELECT generation FROM generations)`,
      )
      .bind(JSON.stringify(generations))
      .all<{ generation: string }>();
    return new Set(results.map((row) => row.generation));
  }

  async #inState(state: "filling" | "removing", limit: number): Promise<Row[]> {
    const { results } = await this.#db
      .prepare("SELECT blob, generation, image_id, size FROM generations WHERE state = ?1 ORDER BY since LIMIT ?2")
      .bind(state, limit)
      .all<Row>();
    return results;
  }
}
