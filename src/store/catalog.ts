/**
 * The catalog in D1: which images are stored, verified and may be served. Its rows are the commit point: what it does
 * not name is not there, whatever R2 holds. Schema: migrations/.
 */

export interface StoredBlob {
  readonly blob: string;
  readonly generation: string;
  /** Bytes. */
  readonly size: number;
  readonly sliceBytes: number;
  /** R2 etag of each slice, as verified. */
  readonly etags: readonly string[];
}

export interface StoredImage extends StoredBlob {
  readonly imageId: string;
  /** MD5 of the record at the time of the commit, hex. */
  readonly checksum: string | null;
}

/** Slices that no row names any more, for the caller to remove. */
export interface Orphan {
  readonly blob: string;
  readonly generation: string;
}

interface ImageRow {
  blob: string;
  checksum: string | null;
  generation: string;
  size: number;
  slice_bytes: number;
  etags: string;
}

export class Catalog {
  readonly #db: D1Database;

  constructor(db: D1Database) {
    this.#db = db;
  }

  /** The committed copy of an image, or null. */
  async find(imageId: string): Promise<StoredImage | null> {
    const row = await this.#db
      .prepare(
        `SELECT blob, checksum, generation, size, slice_bytes, etags
           FROM images JOIN blobs USING (blob) WHERE image_id = ?1`,
      )
      .bind(imageId)
      .first<ImageRow>();
    if (row === null) return null;
    const { blob, checksum, generation, size } = row;
    return { imageId, blob, checksum, generation, size, sliceBytes: row.slice_bytes, etags: row.etags.split(" ") };
  }

  /**
   * Commits a verified generation, and the image as one that has this content. When the blob is committed already, by
   * a fill of another image with the same content, that copy is kept.
   * @param now ms since the epoch
   * @returns the generation that is in the catalog now
   */
  async commit(image: StoredImage, now: number): Promise<string> {
    const [, , kept] = await this.#db.batch<{ generation: string }>([
      this.#db
        .prepare(
          `INSERT INTO blobs (blob, generation, size, slice_bytes, etags, committed_at, verified_at)
           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6) ON CONFLICT (blob) DO NOTHING`,
        )
        .bind(image.blob, image.generation, image.size, image.sliceBytes, image.etags.join(" "), now),
      this.#db
        .prepare(
          `INSERT INTO images (image_id, blob, checksum, committed_at) VALUES (?1, ?2, ?3, ?4)
           ON CONFLICT (image_id) DO UPDATE SET blob = ?2, checksum = ?3, committed_at = ?4`,
        )
        .bind(image.imageId, image.blob, image.checksum, now),
      this.#db.prepare("SELECT generation FROM blobs WHERE blob = ?1").bind(image.blob),
    ]);
    const generation = kept?.results[0]?.generation;
    if (generation === undefined) throw new Error("the catalog lost a row that it just committed");
    return generation;
  }

  /** The committed generation of a blob, or null. */
  async generationOf(blob: string): Promise<string | null> {
    return this.#db.prepare("SELECT generation FROM blobs WHERE blob = ?1").bind(blob).first<string>("generation");
  }

  /**
   * Takes an image out. Its blob goes with the last image that has it.
   * @returns whether the image was in the catalog, and the slices that nothing names any more
   */
  async evict(imageId: string): Promise<{ readonly found: boolean; readonly orphan: Orphan | null }> {
    const [blobs, images] = await this.#db.batch<{ blob: string; generation: string }>([
      this.#db
        .prepare(
          `DELETE FROM blobs WHERE blob = (SELECT blob FROM images WHERE image_id = ?1)
              AND NOT EXISTS (SELECT 1 FROM images WHERE images.blob = blobs.blob AND image_id <> ?1)
           RETURNING blob, generation`,
        )
        .bind(imageId),
      this.#db.prepare("DELETE FROM images WHERE image_id = ?1 RETURNING blob").bind(imageId),
    ]);
    return { found: (images?.results.length ?? 0) > 0, orphan: blobs?.results[0] ?? null };
  }
}
