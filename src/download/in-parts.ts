/** Sends an image that is kept in parts: natively, one part after the other, the next one opened before this one ends. */
import { type PartPiece, type PartPlan, piecesOf } from "../store/manifest.ts";
import type { ObjectStore, OpenImage, StoredImage } from "../store/objects.ts";
import type { PartStore } from "../store/parts.ts";
import type { ByteRange } from "./range.ts";

/** A part is missing, or not what the manifest says. */
export class PartMissing extends Error {
  override readonly name = "PartMissing";
}

export class InParts {
  readonly #store: PartStore;
  readonly #image: StoredImage;
  readonly #pieces: readonly PartPiece[];
  #opening: Promise<ReadableStream<Uint8Array> | null>;

  /**
   * Opens a part of an image from its manifest, which is read.
   * @returns null when its first bytes can't be had
   * @throws whatever R2 throws twice
   */
  static async open(
    { objects, parts }: { readonly objects: ObjectStore; readonly parts: PartStore },
    manifest: OpenImage,
    range: ByteRange,
  ): Promise<InParts | null> {
    const plan = await objects.readPlan(manifest);
    if (plan === null) return null;
    const inParts = new InParts(parts, manifest.image, plan, range);
    return (await inParts.#opening) === null ? null : inParts;
  }

  private constructor(store: PartStore, image: StoredImage, plan: PartPlan, range: ByteRange) {
    this.#store = store;
    this.#image = image;
    this.#pieces = piecesOf(plan, image.size, range.from, range.to);
    this.#opening = this.#open(0);
  }

  /** Sends all of it; the writable stays open. @throws PartMissing, whatever R2 or the client's side throw */
  async send(writable: WritableStream<Uint8Array>, sent: (bytes: number) => void): Promise<void> {
    try {
      for (const [index, piece] of this.#pieces.entries()) {
        const body = await this.#opening;
        if (body === null) throw new PartMissing(`part ${piece.part} is missing or changed`);
        this.#opening = this.#open(index + 1);
        await body.pipeTo(writable, { preventClose: true, preventAbort: true });
        sent(piece.length);
      }
    } finally {
      // What was opened ahead and not sent would hold a connection to the store.
      void this.#opening.then((body) => (body?.locked === false ? body.cancel() : undefined)).catch(() => undefined);
    }
  }

  #open(index: number): Promise<ReadableStream<Uint8Array> | null> {
    const piece = this.#pieces[index];
    if (piece === undefined) return Promise.resolve(null);
    const { imageId, attempt } = this.#image;
    const opening = this.#store.open({ imageId, attempt }, piece);
    // Awaited when its turn comes, or never.
    opening.catch(() => undefined);
    return opening;
  }
}
