/**
 * The catalog in D1: which images are stored, verified and may be served. Its rows are the commit point: what it does
 * not name is not there, whatever R2 holds. Schema: migrations/.
 */
import type { Generation } from "./generations.ts";

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

/** A stored image as it is listed. Times in ms since the epoch. */
export interface ListedImage {
  readonly imageId: string;
  /** Bytes. */
  readonly size: number;
  readonly hits: number;
  readonly lastAccessed: number;
  readonly committedAt: number;
}

export interface BlobRow {
  blob: string;
  generation: string;
  size: number;
  slice_bytes: number;
  etags: string;
}

interface ListedRow {
  image_id: string;
  size: number;
  hits: number;
  last_accessed: number;
  committed_at: number;
}

/** Images that come in one answer of D1, about a megabyte and a half of JSON. */
const PAGE = 10_000;

interface ImageRow extends BlobRow {
  checksum: string | null;
}

/**
 * Downloads that shared a fill may read its slices for so long after the commit (the Fill answers them as long, see
 * LINGER_MS in fill/rules.ts), so its copy counts as in use.
 */
export const FRESH_MS = 90_000;

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
    return row === null ? null : { imageId, checksum: row.checksum, ...toBlob(row) };
  }

  /** Whether an image is committed; without the etags of its slices, which may be 100 KB. */
  async has(imageId: string): Promise<boolean> {
    return (await this.#db.prepare("SELECT 1 FROM images WHERE image_id = ?1").bind(imageId).first()) !== null;
  }

  /** All stored images, the least recently used first. */
  async list(): Promise<ListedImage[]> {
    const images: ListedImage[] = [];
    // By id, whose order no use changes meanwhile.
    for (let last: string | undefined = ""; last !== undefined; ) {
      const { results }: D1Result<ListedRow> = await this.#db
        .prepare(
          `SELECT image_id, size, hits, last_accessed, images.committed_at FROM images JOIN blobs USING (blob)
            WHERE image_id > ?1 ORDER BY image_id LIMIT ?2`,
        )
        .bind(last, PAGE)
        .all<ListedRow>();
      for (const { image_id, size, hits, last_accessed, committed_at } of results) {
        images.push({ imageId: image_id, size, hits, lastAccessed: last_accessed, committedAt: committed_at });
      }
      last = results.length < PAGE ? undefined : results.at(-1)?.image_id;
    }
    return images.sort((a, b) => a.lastAccessed - b.lastAccessed || (a.imageId < b.imageId ? -1 : 1));
  }

  /** The ids of images that were committed after this, the newest first. @param time ms since the epoch @param limit number of them */
  async committedAfter(time: number, limit: number): Promise<string[]> {
    const { results } = await this.#db
      .prepare("SELECT image_id FROM images WHERE committed_at > ?1 ORDER BY committed_at DESC LIMIT ?2")
      .bind(time, limit)
      .all<{ image_id: string }>();
    return results.map((row) => row.image_id);
  }

  /**
   * Commits a verified generation, and the image as one that has this content. When the blob is committed already, by
   * a fill of another image with the same content, that copy is kept. Nothing waits in the queue for the image then.
   * @param now ms since the epoch
   * @returns the generation that is in the catalog now
   * @throws whatever D1 throws, also for a generation that was given up meanwhile: its slices are going
   */
  async commit(image: StoredImage, now: number): Promise<string> {
    const { blob, generation, imageId } = image;
    const results = await this.#db.batch<{ generation: string }>([
      this.#db
        .prepare(
          `INSERT INTO blobs (blob, generation, size, slice_bytes, etags, committed_at, verified_at, scrubbed_at)
           SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?6, ?6
            WHERE NOT EXISTS (SELECT 1 FROM generations WHERE generation = ?2 AND state = 'removing')
           ON CONFLICT (blob) DO NOTHING`,
        )
        .bind(blob, generation, image.size, image.sliceBytes, image.etags.join(" "), now),
      this.#db
        .prepare(
          `INSERT INTO images (image_id, blob, checksum, committed_at, last_accessed, in_use_until)
           SELECT ?1, ?2, ?3, ?4, ?4, ?5 WHERE ${STORED}
           ON CONFLICT (image_id) DO UPDATE SET blob = ?2, checksum = ?3, committed_at = ?4,
             last_accessed = MAX(last_accessed, ?4), in_use_until = ?5`,
        )
        .bind(imageId, blob, image.checksum, now, now + FRESH_MS),
      // From here on its room is counted with the blob's; a second copy's goes when its slices have gone.
      this.#db
        .prepare("DELETE FROM generations WHERE generation IN (SELECT generation FROM blobs WHERE blob = ?1)")
        .bind(blob),
      this.#db.prepare(`DELETE FROM queue WHERE image_id = ?1 AND ${STORED}`).bind(imageId, blob),
      this.#db.prepare("SELECT generation FROM blobs WHERE blob = ?1").bind(blob),
    ]);
    const kept = results.at(-1)?.results[0]?.generation;
    if (kept === undefined) throw new Error("the generation was given up before its commit");
    return kept;
  }

  /** The committed generation of a blob, or null. */
  async generationOf(blob: string): Promise<string | null> {
    return this.#db.prepare("SELECT generation FROM blobs WHERE blob = ?1").bind(blob).first<string>("generation");
  }

  /**
   * Takes an image out. Its blob goes with the last image that has it.
   * @param now ms since the epoch
   * @returns whether the image was in the catalog, and the generation whose slices are to be removed now
   */
  async evict(imageId: string, now: number): Promise<{ readonly found: boolean; readonly orphan: Generation | null }> {
    const [orphans, images] = await this.#db.batch<Generation>([
      this.#db
        .prepare(
          `${CONDEMN} WHERE blob = (SELECT blob FROM images WHERE image_id = ?2)
              AND NOT EXISTS (SELECT 1 FROM images WHERE images.blob = blobs.blob AND image_id <> ?2)
           ${CONDEMNED} RETURNING blob, generation`,
        )
        .bind(now, imageId),
      this.#db.prepare("DELETE FROM images WHERE image_id = ?1 RETURNING blob").bind(imageId),
      this.#db.prepare(DELETE_CONDEMNED),
    ]);
    return { found: (images?.results.length ?? 0) > 0, orphan: orphans?.results[0] ?? null };
  }

  /**
   * Takes blobs out, with all images that have them.
   * @param generations those that are meant, as long as the catalog still names them
   * @param spare `"in-use"` keeps a blob that a download may be reading
   * @param now ms since the epoch
   */
  async evictBlobs(generations: readonly string[], spare: "none" | "in-use", now: number): Promise<Evicted> {
    const spared = "AND NOT EXISTS (SELECT 1 FROM images WHERE images.blob = blobs.blob AND in_use_until > ?1)";
    const [blobs, images] = await this.#db.batch<Generation & { size: number; image_id: string }>([
      this.#db
        .prepare(
          `${CONDEMN} WHERE generation IN (SELECT value FROM json_each(?2)) ${spare === "in-use" ? spared : ""}
           ${CONDEMNED} RETURNING blob, generation, size`,
        )
        .bind(now, JSON.stringify(generations)),
      this.#db.prepare(
        `DELETE FROM images WHERE blob IN
           (SELECT blobs.blob FROM blobs JOIN generations USING (generation) WHERE state = 'removing')
         RETURNING image_id`,
      ),
      this.#db.prepare(DELETE_CONDEMNED),
    ]);
    const taken = blobs?.results ?? [];
    return {
      orphans: taken.map(({ blob, generation }) => ({ blob, generation })),
      bytes: taken.reduce((sum, { size }) => sum + size, 0),
      images: (images?.results ?? []).map((row) => row.image_id),
    };
  }

  /**
   * Takes out everything, in three statements whatever is there; what its slices are is in `generations`.
   * @param now ms since the epoch
   * @returns number of images
   */
  async evictAll(now: number): Promise<number> {
    const [, images] = await this.#db.batch([
      // WHERE true: without it SQLite takes ON for the beginning of a join (sqlite.org/lang_upsert.html, section 2.2).
      this.#db.prepare(`${CONDEMN} WHERE true ${CONDEMNED}`).bind(now),
      this.#db.prepare("DELETE FROM images"),
      this.#db.prepare("DELETE FROM blobs"),
    ]);
    return images?.meta.changes ?? 0;
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

  /** Takes out blobs that no image has any more. @param now ms since the epoch @returns their generations */
  async evictUnowned(now: number): Promise<Generation[]> {
    const [blobs] = await this.#db.batch<Generation>([
      this.#db
        .prepare(
          `${CONDEMN} WHERE NOT EXISTS (SELECT 1 FROM images WHERE images.blob = blobs.blob)
           ${CONDEMNED} RETURNING blob, generation`,
        )
        .bind(now),
      this.#db.prepare(DELETE_CONDEMNED),
    ]);
    return blobs?.results ?? [];
  }
}

/**
 * A commit that is refused changes nothing: its statements look for the blob themselves. Left to the foreign key, which is
 * checked at the end of the transaction only, the failure breaks the database's object and every query under way with it.
 * ?2: the blob.
 */
const STORED = "EXISTS (SELECT 1 FROM blobs WHERE blob = ?2)";

/** What became of an image since the last time that it was told. Times in ms since the epoch. */
export interface Use {
  readonly imageId: string;
  readonly hits: number;
  readonly lastAccessed: number;
  readonly inUseUntil: number;
}

/** What an eviction of blobs has taken out. */
export interface Evicted {
  /** Their slices are to be removed now. */
  readonly orphans: readonly Generation[];
  /** Bytes of these blobs. */
  readonly bytes: number;
  /** Ids of the images. */
  readonly images: readonly string[];
}

/**
 * A blob that leaves the catalog goes on counting as room taken until its slices have gone, which a run that died in
 * between leaves to the next one. ?1: now.
 */
const CONDEMN = `INSERT INTO generations (generation, blob, image_id, size, state, since)
  SELECT generation, blob, COALESCE((SELECT image_id FROM images WHERE images.blob = blobs.blob), ''), size, 'removing', ?1
    FROM blobs`;
const CONDEMNED = "ON CONFLICT (generation) DO UPDATE SET state = 'removing', since = excluded.since";
const DELETE_CONDEMNED =
  "DELETE FROM blobs WHERE generation IN (SELECT generation FROM generations WHERE state = 'removing')";

/** A row of `blobs` as the rest of the code knows it. */
export function toBlob(row: BlobRow): StoredBlob {
  const { blob, generation, size } = row;
  return { blob, generation, size, sliceBytes: row.slice_bytes, etags: row.etags.split(" ") };
}
