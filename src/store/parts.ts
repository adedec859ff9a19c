/**
 * The parts of images too large for one put: `parts/<image>/<attempt>/<n>`, each with a SHA-256 that R2 checked while it was
 * put and that each read compares. Put and removed by the image's Fill alone.
 */
import { toHex } from "../lib/hex.ts";
import { type Keyed, openKeyed, removePrefix } from "./bucket.ts";
import type { PartPiece } from "./manifest.ts";
import type { Attempt } from "./slices.ts";

const ROOT = "parts/";

export class PartStore {
  readonly #bucket: R2Bucket;

  constructor(bucket: R2Bucket) {
    this.#bucket = bucket;
  }

  /** Whether a part is stored, as it should be. @throws whatever R2 throws */
  async has(attempt: Attempt, part: number, sum: string): Promise<boolean> {
    const there = await this.#bucket.head(partKey(attempt, part));
    const sha256 = there?.checksums.sha256;
    return sha256 !== undefined && toHex(sha256) === sum;
  }

  /** Whether all parts are stored, as they should be. @throws whatever R2 throws */
  async hasAll(attempt: Attempt, sums: readonly string[]): Promise<boolean> {
    for (const [part, sum] of sums.entries()) if (!(await this.has(attempt, part, sum))) return false;
    return true;
  }

  /**
   * Stores a part; R2 refuses other bytes than the sum says.
   * @param body of known length
   * @throws whatever R2 throws; where its place was taken, which is free then
   */
  async put(attempt: Attempt, part: number, sum: string, body: ReadableStream<Uint8Array>): Promise<void> {
    const key = partKey(attempt, part);
    try {
      if (await this.#bucket.put(key, body, { sha256: sum, onlyIf: { etagDoesNotMatch: "*" } })) return;
      // By none that `has` took for this part: a manifest must not name it.
      await this.#bucket.delete(key);
      throw new Error(`the place of part ${part} was taken`);
    } catch (cause) {
      // Who writes it would else wait for ever for somebody to read it.
      await body.cancel(cause).catch(() => undefined);
      throw cause;
    }
  }

  /**
   * Opens a piece of a part.
   * @returns null when the part is missing, shortened, or not of this sum
   * @throws whatever R2 throws twice, DeadlineExceeded
   */
  async open(attempt: Attempt, piece: PartPiece): Promise<ReadableStream<Uint8Array> | null> {
    const keyed: Keyed = { key: partKey(attempt, piece.part), ...piece };
    return openKeyed(this.#bucket, keyed, ({ checksums }) => {
      return checksums.sha256 !== undefined && toHex(checksums.sha256) === piece.sum;
    });
  }

  /** Removes all parts of an attempt. Safe to call again. @throws whatever R2 throws */
  async removeAll(imageId: string, attempt: string): Promise<void> {
    await removePrefix(this.#bucket, `${ROOT}${imageId}/${attempt}/`);
  }
}

function partKey({ imageId, attempt }: Attempt, part: number): string {
  return `${ROOT}${imageId}/${attempt}/${part}`;
}
