/**
 * Images too large for one put: cut into parts at the bounds of slices, each with a SHA-256 that the fill takes of the bytes
 * on their way into slices, so that R2 can check each part's put against what the digest gate let through.
 */
import { Digester } from "../../digest/digester.ts";
import { sliceLength, sliceStart } from "../../store/slice-plan.ts";
import type { Cut } from "../protocol.ts";

/** Bytes of a part, or null for an image that one object holds. @param objectMaxBytes what one put may have */
export function planParts(size: number, sliceBytes: number, objectMaxBytes: number): number | null {
  if (size <= objectMaxBytes) return null;
  return Math.max(1, Math.floor(objectMaxBytes / sliceBytes)) * sliceBytes;
}

/** The slices of one part: `from` (inclusive) to `to` (exclusive). */
export function slicesOf(cut: Cut, partBytes: number, part: number, count: number): { from: number; to: number } {
  let from = 0;
  while (sliceStart(cut, from) < part * partBytes) from++;
  let to = from;
  while (to < count && sliceStart(cut, to) < (part + 1) * partBytes) to++;
  return { from, to };
}

/** Takes the sums of parts from slices in their order. */
export class PartSums {
  readonly #cut: Cut;
  readonly #partBytes: number;
  readonly #sums: string[];
  #digester = new Digester("sha256");

  /** @param sums of the parts that are whole already */
  constructor(cut: Cut, partBytes: number, sums: readonly string[]) {
    this.#cut = cut;
    this.#partBytes = partBytes;
    this.#sums = [...sums];
  }

  /** Of all parts that are whole so far. */
  get sums(): readonly string[] {
    return this.#sums;
  }

  /** Whether a slice belongs to a part that is not whole yet. */
  wants(slice: number): boolean {
    return sliceStart(this.#cut, slice) >= this.#sums.length * this.#partBytes;
  }

  /** Takes the next slice in. */
  async add(slice: number, bytes: Uint8Array): Promise<void> {
    await this.#digester.write(bytes);
    await this.#closeAt(sliceStart(this.#cut, slice) + bytes.byteLength);
  }

  /** The same from a stored slice. */
  async absorb(slice: number, body: ReadableStream<Uint8Array>): Promise<void> {
    await this.#digester.absorb(body);
    await this.#closeAt(sliceStart(this.#cut, slice) + sliceLength(this.#cut, slice));
  }

  async #closeAt(end: number): Promise<void> {
    if (end < this.#cut.size && end % this.#partBytes !== 0) return;
    this.#sums.push(await this.#digester.finish());
    this.#digester = new Digester("sha256");
  }
}
