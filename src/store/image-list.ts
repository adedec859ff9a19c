/** Kept images as the page lists them: sorted, filtered and in parts, all by D1. Schema: migrations/0001_catalog.sql. */
import { BY_HAND } from "./catalog.ts";
import { LISTED } from "./cleared.ts";

/** By what the list can be sorted, and the expression for it: unknown names come last in both directions. */
const ORDERS = {
  name: (order: Order) => `name IS NULL, name COLLATE NOCASE ${order}`,
  size: (order: Order) => `size ${order}`,
  hits: (order: Order) => `hits ${order}`,
  last_accessed: (order: Order) => `last_accessed ${order}`,
  verified_at: (order: Order) => `verified_at ${order}`,
  committed_at: (order: Order) => `committed_at ${order}`,
} as const;

type Order = "asc" | "desc";

export interface ImageQuery {
  readonly sort: keyof typeof ORDERS;
  readonly order: Order;
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

/** Not LIKE: D1 takes patterns of 50 bytes at most (D1 limits page). */
const MATCHES = "(?1 = '' OR instr(lower(name), lower(?1)) > 0 OR instr(image_id, lower(?1)) > 0)";

export class ImageList {
  readonly #db: D1Database;

  constructor(db: D1Database) {
    this.#db = db;
  }

  async part({ sort, order, filter, limit, offset }: ImageQuery): Promise<{ total: number; rows: ImageRow[] }> {
    const [counted, page] = await this.#db.batch<Record<string, unknown>>([
      this.#db.prepare(`SELECT COUNT(*) AS total FROM images WHERE ${LISTED} AND ${MATCHES}`).bind(filter),
      this.#db
        .prepare(
          `SELECT image_id, name, size, hits, last_accessed, verified_at, committed_at,
                  CASE pinned WHEN 0 THEN NULL WHEN ${BY_HAND} THEN 'hand' ELSE 'setting' END AS pinned FROM images
            WHERE ${LISTED} AND ${MATCHES} ORDER BY ${ORDERS[sort](order)}, image_id LIMIT ?2 OFFSET ?3`,
        )
        .bind(filter, limit, offset),
    ]);
    return { total: Number(counted?.results[0]?.total ?? 0), rows: (page?.results ?? []) as unknown as ImageRow[] };
  }

  async sums(): Promise<{ count: number; bytes: number }> {
    const row = await this.#db
      .prepare(`SELECT COUNT(*) AS count, COALESCE(SUM(size), 0) AS bytes FROM images WHERE ${LISTED}`)
      .first<{ count: number; bytes: number }>();
    return row ?? { count: 0, bytes: 0 };
  }
}
