/**
 * Kept images as the page lists them: sorted, filtered and in parts, all by D1. Schema: migrations/0001_catalog.sql,
 * 0003_growth.sql, which has an index for each order but that by hits: it would be written with every download.
 */
import { BY_HAND } from "./catalog.ts";
import { LISTED, UNLISTED } from "./cleared.ts";

/** By what the list can be sorted, and the expression for it: unknown names come last in both directions. */
const ORDERS = {
  name: "name COLLATE NOCASE",
  size: "size",
  hits: "hits",
  last_accessed: "last_accessed",
  verified_at: "verified_at",
  committed_at: "committed_at",
} as const;

export interface ImageQuery {
  readonly sort: keyof typeof ORDERS;
  readonly order: "asc" | "desc";
  /** What name or id must hold; "": all. ASCII letters are compared without case. */
  readonly filter: string;
  readonly limit: number;
  readonly offset: number;
}

/** Times in ms since the epoch, size in bytes. */
export interface ImageRow {
  readonly image_id: string;
  readonly name: string | null;
  readonly size: number;
  readonly hits: number;
  readonly last_accessed: number;
  readonly verified_at: number;
  readonly committed_at: number;
  /** By the setting PIN_IMAGES, or by an operator; null: not at all. */
  readonly pinned: "setting" | "hand" | null;
}

/** Not LIKE: D1 takes patterns of 50 bytes at most (D1 limits page). Whatever it is, all names are looked at. */
const MATCHES = "(instr(lower(name), lower(?1)) > 0 OR instr(image_id, lower(?1)) > 0)";
/** All that is listed, without a look at each: what is held but for what was cleared, of which there is hardly ever any. */
const ALL = `SELECT held.images - cleared.images AS count, held.bytes - cleared.bytes AS bytes FROM held,
  (SELECT COUNT(*) AS images, COALESCE(SUM(size), 0) AS bytes FROM images WHERE ${UNLISTED}) AS cleared WHERE whose = 'all'`;

export class ImageList {
  readonly #db: D1Database;

  constructor(db: D1Database) {
    this.#db = db;
  }

  async part({ sort, order, filter, limit, offset }: ImageQuery): Promise<{ total: number; rows: ImageRow[] }> {
    const matches = filter === "" ? "" : ` AND ${MATCHES}`;
    const count = `SELECT COUNT(*) AS count FROM images WHERE ${LISTED}${matches}`;
    const [counted, page] = await this.#db.batch<Record<string, unknown>>([
      filter === "" ? this.#db.prepare(ALL) : this.#db.prepare(count).bind(filter),
      // `+`: hardly a row is not listed, and the order's own index is the one to go by.
      this.#db
        .prepare(
          `SELECT image_id, name, size, hits, last_accessed, verified_at, committed_at,
                  CASE pinned WHEN 0 THEN NULL WHEN ${BY_HAND} THEN 'hand' ELSE 'setting' END AS pinned FROM images
            WHERE +${LISTED}${matches} ORDER BY ${ORDERS[sort]} ${order} NULLS LAST, image_id ${order} LIMIT ?2 OFFSET ?3`,
        )
        .bind(filter, limit, offset),
    ]);
    return { total: Number(counted?.results[0]?.count ?? 0), rows: (page?.results ?? []) as unknown as ImageRow[] };
  }

  async sums(): Promise<{ count: number; bytes: number }> {
    const row = await this.#db.prepare(ALL).first<{ count: number; bytes: number }>();
    return row ?? { count: 0, bytes: 0 };
  }
}
