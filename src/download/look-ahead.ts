/**
 * A reader whose turn at its Fill is far off looks for slices in R2 by itself. What is there is stored, and the last one is there
 * only once the digest agreed: neither needs a word of the Fill. So one of ten thousand is seconds behind, and not its turn.
 */
import type { Cut } from "../fill/protocol.ts";
import { sliceCount, sliceLength, sliceStart } from "../store/slice-plan.ts";
import { type StoredIn, StoredSlices } from "./stored-slices.ts";

export class LookAhead {
  readonly #in: Omit<StoredIn, "cut">;
  #tries = 1;

  constructor(where: Omit<StoredIn, "cut">) {
    this.#in = where;
  }

  /** Whether the attempt's first slice is there. */
  async hasFirst(cut: Cut): Promise<boolean> {
    const { slices, imageId } = this.#in;
    // A store in trouble says so when something is read.
    return slices.has({ imageId, attempt: cut.attempt }, 0, sliceLength(cut, 0)).catch(() => false);
  }

  /**
   * Sends slices from this one on, as far as they are there.
   * @param sent told of the bytes of each
   * @returns how many there were
   * @throws whatever the client's side throws
   */
  async send(
    writable: WritableStream<Uint8Array>,
    cut: Cut,
    from: number,
    sent: (bytes: number) => void,
  ): Promise<number> {
    const stored = new StoredSlices({ ...this.#in, cut });
    let next = from;
    // What it opens ahead in vain costs as much as what it finds, so that it looks for one more than there were the last time.
    for (let to = from; next === to && to < sliceCount(cut); ) {
      to = Math.min(sliceCount(cut), to + Math.max(this.#tries, to - from));
      await stored.send(writable, sliceStart(cut, next), Math.min(cut.size, sliceStart(cut, to)), (bytes) => {
        next++;
        sent(bytes);
      });
    }
    this.#tries = next - from + 1;
    return next - from;
  }
}
