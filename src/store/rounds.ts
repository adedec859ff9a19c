/**
 * The orders in which upkeep goes through the catalog, a part at a time: by when the scrub tried, when the origin was asked,
 * and by name.
 */
import { type BlobRow, type StoredBlob, toBlob } from "./catalog.ts";
import type { Generation } from "./generations.ts";

export class Rounds {
  readonly #db: D1Database;

  constructor(db: D1Database) {
    this.#db = db;
  }

  /** The blobs that the scrub has not tried for the longest time, the longest first. @param limit number of them */
  async leastScrubbed(limit: number): Promise<{ readonly generation: string; readonly size: number }[]> {
    const { results } = await this.#db
      .prepare("SELECT generation, size FROM blobs ORDER BY scrubbed_at, blob LIMIT ?1")
      .bind(limit)
      .all<{ generation: string; size: number }>();
    return results;
  }

  /** Notes that the scrub tries a generation. @param now ms since the epoch @returns null when it is not committed */
  async scrubbing(generation: string, now: number): Promise<StoredBlob | null> {
    const row = await this.#db
      .prepare(
        `UPDATE blobs SET scrubbed_at = ?2 WHERE generation = ?1
         RETURNING blob, generation, size, slice_bytes, etags`,
      )
      .bind(generation, now)
      .first<BlobRow>();
    return row === null ? null : toBlob(row);
  }

  /** Notes that all slices of a generation were read and matched. @param now ms since the epoch */
  async verified(generation: string, now: number): Promise<void> {
    await this.#db.prepare("UPDATE blobs SET verified_at = ?2 WHERE generation = ?1").bind(generation, now).run();
  }

  /** Blobs in the order of their names, behind this one. @param limit number of them */
  async blobsAfter(blob: string, limit: number): Promise<Generation[]> {
    const { results } = await this.#db
      .prepare("SELECT blob, generation FROM blobs WHERE blob > ?1 ORDER BY blob LIMIT ?2")
      .bind(blob, limit)
      .all<Generation>();
    return results;
  }

  /** The images that the origin was not asked about for the longest time, the longest first. */
  async leastReconciled(limit: number): Promise<string[]> {
    const { results } = await this.#db
      .prepare("SELECT image_id FROM images ORDER BY reconciled_at, image_id LIMIT ?1")
      .bind(limit)
      .all<{ image_id: string }>();
    return results.map((row) => row.image_id);
  }

  /** Notes that the origin was asked about these images, whatever it said. @param now ms since the epoch */
  async reconciled(imageIds: readonly string[], now: number): Promise<void> {
    await this.#db
      .prepare("UPDATE images SET reconciled_at = ?2 WHERE image_id IN (SELECT value FROM json_each(?1))")
      .bind(JSON.stringify(imageIds), now)
      .run();
  }
}
