/**
 * The slices of running fills in R2: one object each, `fills/<image>/<attempt>/<slice>`. Puts are create-only; an attempt's
 * name is never used twice. Written and removed by the image's Fill alone, read by whoever follows it.
 */
import { toHex } from "../lib/hex.ts";
import { headObject, openKeyed, removePrefix } from "./bucket.ts";

const ROOT = "fills/";
/** What clean looks through for attempts that are nobody's any more. */
const ROOTS = [ROOT, "parts/"] as const;

/** One attempt to fetch one image. */
export interface Attempt {
  readonly imageId: string;
  readonly attempt: string;
}

export interface SlicePiece {
  readonly slice: number;
  /** Bytes of the whole slice. */
  readonly size: number;
  readonly offset: number;
  readonly length: number;
}

export class SliceStore {
  readonly #bucket: R2Bucket;

  constructor(bucket: R2Bucket) {
    this.#bucket = bucket;
  }

  /**
   * Stores a slice.
   * @returns whether it is stored now; false when its key is taken by other bytes, put by this attempt in a former life
   * @throws whatever R2 throws
   */
  async put(attempt: Attempt, slice: number, bytes: Uint8Array): Promise<boolean> {
    const key = sliceKey(attempt, slice);
    const created = await this.#bucket.put(key, bytes, { onlyIf: { etagDoesNotMatch: "*" } });
    if (created !== null) return true;
    const there = await this.#bucket.head(key);
    const md5 = there?.checksums.md5;
    return md5 !== undefined && toHex(md5) === toHex(await crypto.subtle.digest("MD5", bytes));
  }

  /** Whether a slice is there, and of this length. @throws whatever R2 throws twice, DeadlineExceeded */
  async has(attempt: Attempt, slice: number, size: number): Promise<boolean> {
    return (await headObject(this.#bucket, sliceKey(attempt, slice)))?.size === size;
  }

  /**
   * Opens a slice, or a piece of it.
   * @returns null when the slice is missing, or not `size` bytes long
   * @throws whatever R2 throws twice, DeadlineExceeded
   */
  async open(attempt: Attempt, piece: SlicePiece): Promise<ReadableStream<Uint8Array> | null> {
    return openKeyed(this.#bucket, { key: sliceKey(attempt, piece.slice), ...piece });
  }

  /**
   * Some of the attempts that have slices or parts, in the order of their keys: a page of at most 1,000 objects.
   * @param after a key, or "" for the beginning
   * @returns `next`: where the next page begins, or null at the end
   */
  async attemptsAfter(after: string): Promise<{ readonly found: readonly Attempt[]; readonly next: string | null }> {
    const root = ROOTS.find((prefix) => after < prefix || after.startsWith(prefix));
    if (root === undefined) return { found: [], next: null };
    const page = await this.#bucket.list({ prefix: root, ...(after > root ? { startAfter: after } : {}) });
    const found = new Map<string, Attempt>();
    for (const { key } of page.objects) {
      const [imageId, attempt] = key.slice(root.length).split("/");
      if (imageId !== undefined && attempt !== undefined) found.set(`${imageId}/${attempt}`, { imageId, attempt });
    }
    const last = page.truncated ? page.objects.at(-1)?.key : ROOTS[ROOTS.indexOf(root) + 1];
    return { found: [...found.values()], next: last ?? null };
  }

  /** Removes all slices of an attempt. Safe to call again. @throws whatever R2 throws */
  async removeAll(imageId: string, attempt: string): Promise<void> {
    await removePrefix(this.#bucket, `${ROOT}${imageId}/${attempt}/`);
  }
}

function sliceKey({ imageId, attempt }: Attempt, slice: number): string {
  return `${ROOT}${imageId}/${attempt}/${slice}`;
}
