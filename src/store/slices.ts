/**
 * The slices of running fills in R2: one object each, `fills/<image>/<attempt>/<slice>`. Puts are create-only; an attempt's
 * name is never used twice. Written and removed by the image's Fill alone, read by whoever follows it.
 */
import { withDeadline } from "../deadline.ts";
import { toHex } from "../hex.ts";
import { retry } from "../lib/retry.ts";

const ROOT = "fills/";

/** R2's error for a range behind the object's end: the object is too short. developers.cloudflare.com/r2/api/error-codes/ */
const RANGE_NOT_SATISFIABLE = "(10039)";

/** R2 answers within some 100 ms; a store that takes this long is as good as gone. */
const OPEN_MS = 5_000;

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
  async put({ imageId, attempt }: Attempt, slice: number, bytes: Uint8Array): Promise<boolean> {
    const key = sliceKey(imageId, attempt, slice);
    const created = await this.#bucket.put(key, bytes, { onlyIf: { etagDoesNotMatch: "*" } });
    if (created !== null) return true;
    const there = await this.#bucket.head(key);
    const md5 = there?.checksums.md5;
    return md5 !== undefined && toHex(md5) === toHex(await crypto.subtle.digest("MD5", bytes));
  }

  /** Whether a slice is there, and of this length. @throws whatever R2 throws twice, DeadlineExceeded */
  async has({ imageId, attempt }: Attempt, slice: number, size: number): Promise<boolean> {
    const heading = retry(() => this.#bucket.head(sliceKey(imageId, attempt, slice)), { delaysMs: [100] });
    const there = await withDeadline("looking at a slice", OPEN_MS, heading);
    return there?.size === size;
  }

  /**
   * Opens a slice, or a piece of it.
   * @returns null when the slice is missing, or not `size` bytes long
   * @throws whatever R2 throws twice, DeadlineExceeded
   */
  async open({ imageId, attempt }: Attempt, piece: SlicePiece): Promise<ReadableStream<Uint8Array> | null> {
    const { slice, size, offset, length } = piece;
    const options = length === size ? {} : { range: { offset, length } };
    const opening = retry(() => this.#bucket.get(sliceKey(imageId, attempt, slice), options), {
      delaysMs: [100],
      retryable: (cause) => !isTooShort(cause),
    }).catch((cause: unknown) => {
      if (isTooShort(cause)) return null;
      throw cause;
    });
    const object = await withDeadline("opening a slice", OPEN_MS, opening).catch((cause: unknown) => {
      // Should it open after all, nobody reads it.
      void opening.then((late) => late?.body.cancel()).catch(() => undefined);
      throw cause;
    });
    if (object === null) return null;
    if (object.size !== size) {
      await object.body.cancel();
      return null;
    }
    return object.body;
  }

  /**
   * Some of the attempts that have slices, in the order of their keys: a page of at most 1,000 slices.
   * @param after a key, or "" for the beginning
   * @returns `next`: where the next page begins, or null at the end
   */
  async attemptsAfter(after: string): Promise<{ readonly found: readonly Attempt[]; readonly next: string | null }> {
    const page = await this.#bucket.list({ prefix: ROOT, ...(after === "" ? {} : { startAfter: after }) });
    const found = new Map<string, Attempt>();
    for (const { key } of page.objects) {
      const [imageId, attempt] = key.slice(ROOT.length).split("/");
      if (imageId !== undefined && attempt !== undefined) found.set(`${imageId}/${attempt}`, { imageId, attempt });
    }
    return { found: [...found.values()], next: page.truncated ? (page.objects.at(-1)?.key ?? null) : null };
  }

  /** Removes all slices of an attempt, or of all attempts at an image. Safe to call again. @throws whatever R2 throws */
  async removeAll(imageId: string, attempt: string | null): Promise<void> {
    const prefix = attempt === null ? `${ROOT}${imageId}/` : `${ROOT}${imageId}/${attempt}/`;
    for (;;) {
      // From the start each time: a cursor into a list that is being deleted could skip some.
      const page = await this.#bucket.list({ prefix });
      if (page.objects.length > 0) await this.#bucket.delete(page.objects.map((object) => object.key));
      if (!page.truncated) return;
    }
  }
}

function sliceKey(imageId: string, attempt: string, slice: number): string {
  return `${ROOT}${imageId}/${attempt}/${slice}`;
}

function isTooShort(cause: unknown): boolean {
  return cause instanceof Error && cause.message.includes(RANGE_NOT_SATISFIABLE);
}
