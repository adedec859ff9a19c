/**
 * Slices in R2: one object each, `blobs/<blob>/<generation>/<slice>`. Puts are create-only, so that what is stored is
 * never overwritten (invariant 3); a second attempt at a blob has a generation of its own.
 */
import { withDeadline } from "../deadline.ts";
import { toHex } from "../hex.ts";
import type { Generation } from "./generations.ts";

/** What is not below it is not the edge's. */
const ROOT = "blobs/";

/** R2's error for a range behind the object's end: the object is too short. developers.cloudflare.com/r2/api/error-codes/ */
const RANGE_NOT_SATISFIABLE = "(10039)";

/** R2 answers within some 100 ms; a store that takes this long is as good as gone. */
const OPEN_MS = 5_000;

export interface OpenSlice {
  readonly body: ReadableStream<Uint8Array>;
  readonly etag: string;
}

export type PutAnswer =
  | { readonly kind: "created"; readonly etag: string }
  /** The key is taken: another one's bytes stay. `etag` is theirs. */
  | { readonly kind: "exists"; readonly etag: string; readonly size: number };

export class SliceStore {
  readonly #bucket: R2Bucket;

  constructor(bucket: R2Bucket) {
    this.#bucket = bucket;
  }

  /**
   * Stores a slice unless its key is taken.
   * @param md5 hex; R2 refuses other bytes. For a slice whose content is known already.
   * @throws whatever R2 throws, a wrong md5 included
   */
  async put(blob: string, generation: string, slice: number, bytes: Uint8Array, md5?: string): Promise<PutAnswer> {
    const key = sliceKey(blob, generation, slice);
    const created = await this.#bucket.put(key, bytes, {
      onlyIf: { etagDoesNotMatch: "*" },
      ...(md5 === undefined ? {} : { md5 }),
    });
    if (created !== null) return { kind: "created", etag: created.etag };
    const there = await this.#bucket.head(key);
    // Deleted between the two calls: as if the put had failed.
    if (there === null) throw new Error("a slice vanished while it was stored");
    return { kind: "exists", etag: there.etag, size: there.size };
  }

  /**
   * Opens a slice, or `length` bytes of it from `offset`.
   * @param etag what the slice had when it was verified; a slice that was changed since is as good as missing
   * @returns null when the slice is missing, changed, or not `size` bytes long
   * @throws whatever R2 throws, DeadlineExceeded
   */
  async open(
    blob: string,
    generation: string,
    part: { readonly slice: number; readonly size: number; readonly offset: number; readonly length: number },
    etag: string | null,
  ): Promise<OpenSlice | null> {
    const opening = this.#bucket
      .get(sliceKey(blob, generation, part.slice), {
        ...(part.length === part.size ? {} : { range: { offset: part.offset, length: part.length } }),
        ...(etag === null ? {} : { onlyIf: { etagMatches: etag } }),
      })
      .catch((cause: unknown) => {
        if (cause instanceof Error && cause.message.includes(RANGE_NOT_SATISFIABLE)) return null;
        throw cause;
      });
    const object = await withDeadline("opening a slice", OPEN_MS, opening).catch((cause: unknown) => {
      // Should it open after all, nobody reads it.
      void opening
        .then((late) => (late !== null && "body" in late ? late.body.cancel() : undefined))
        .catch(() => undefined);
      throw cause;
    });
    if (object === null || !("body" in object)) return null;
    if (object.size !== part.size) {
      await object.body.cancel();
      return null;
    }
    return { body: object.body, etag: object.etag };
  }

  /** Removes one slice, so that a true one may take its key. */
  async remove(blob: string, generation: string, slice: number): Promise<void> {
    await this.#bucket.delete(sliceKey(blob, generation, slice));
  }

  /** Whether no slice of a generation is stored. */
  async isEmpty(blob: string, generation: string): Promise<boolean> {
    const { objects } = await this.#bucket.list({ prefix: generationPrefix(blob, generation), limit: 1 });
    return objects.length === 0;
  }

  /**
   * Some of the generations that have slices, in the order of their keys: a page of at most 1,000 slices.
   * @param after a key, or "" for the beginning
   * @returns `next`: where the next page begins, or null at the end
   */
  async generationsAfter(
    after: string,
  ): Promise<{ readonly found: readonly Generation[]; readonly next: string | null }> {
    const page = await this.#bucket.list({ prefix: ROOT, ...(after === "" ? {} : { startAfter: after }) });
    const found = new Map<string, Generation>();
    for (const { key } of page.objects) {
      const [blob, generation] = key.slice(ROOT.length).split("/");
      if (blob !== undefined && generation !== undefined) found.set(`${blob}/${generation}`, { blob, generation });
    }
    return { found: [...found.values()], next: page.truncated ? (page.objects.at(-1)?.key ?? null) : null };
  }

  /** Removes all slices of a generation. Safe to call again. */
  async removeGeneration(blob: string, generation: string): Promise<void> {
    const prefix = generationPrefix(blob, generation);
    for (;;) {
      // From the start each time: a cursor into a list that is being deleted could skip some.
      const page = await this.#bucket.list({ prefix, limit: 1000 });
      if (page.objects.length > 0) await this.#bucket.delete(page.objects.map((object) => object.key));
      if (!page.truncated) return;
    }
  }
}

/** The etag that R2 gives these bytes when they are put whole: their MD5. developers.cloudflare.com/r2/api/workers/ */
export async function etagOf(bytes: Uint8Array): Promise<string> {
  return toHex(await crypto.subtle.digest("MD5", bytes));
}

function sliceKey(blob: string, generation: string, slice: number): string {
  return generationPrefix(blob, generation) + slice;
}

function generationPrefix(blob: string, generation: string): string {
  return `${ROOT}${blob}/${generation}/`;
}
