/** What a fill has stored, sent natively: slice after slice, some opened ahead of the one that is being sent. */
import type { Cut } from "../fill/protocol.ts";
import type { Log } from "../lib/log.ts";
import { partsOf, type SlicePart, sliceLength } from "../store/slice-plan.ts";
import type { SliceStore } from "../store/slices.ts";
import { AHEAD, BACK_AFTER_MS } from "./pace.ts";

export interface StoredIn {
  readonly slices: SliceStore;
  readonly imageId: string;
  readonly cut: Cut;
  readonly log: Log;
}

export class StoredSlices {
  readonly #in: StoredIn;

  constructor(storedIn: StoredIn) {
    this.#in = storedIn;
  }

  /**
   * Sends the image's bytes `from` to before `to`, or as many whole slices of that as ten seconds allow. The writable stays open.
   * @param sent told of the bytes of each slice
   * @returns "missing" when a slice can't be read
   * @throws whatever the client's side throws
   */
  async send(
    writable: WritableStream<Uint8Array>,
    from: number,
    to: number,
    sent: (bytes: number) => void,
  ): Promise<"sent" | "missing"> {
    const parts = partsOf(this.#in.cut, from, to);
    const opened: Promise<ReadableStream<Uint8Array> | null>[] = [];
    const backAt = Date.now() + BACK_AFTER_MS;
    let next = 0;
    try {
      for (const part of parts) {
        if (Date.now() >= backAt) break;
        while (next < parts.length && opened.length <= AHEAD) {
          const ahead = parts[next++];
          if (ahead !== undefined) opened.push(this.#openOrNull(ahead));
        }
        const body = await opened.shift();
        if (body === undefined || body === null) return "missing";
        await body.pipeTo(writable, { preventClose: true, preventAbort: true });
        sent(part.length);
      }
      return "sent";
    } finally {
      // What was opened ahead and not sent would hold a connection to the store.
      for (const left of opened) void left.then((body) => body?.cancel()).catch(() => undefined);
    }
  }

  /** Opens a part of a slice. @returns null when it is not there @throws whatever R2 throws twice */
  open({ slice, offset, length }: SlicePart): Promise<ReadableStream<Uint8Array> | null> {
    const { slices, imageId, cut } = this.#in;
    return slices.open({ imageId, attempt: cut.attempt }, { slice, offset, length, size: sliceLength(cut, slice) });
  }

  async #openOrNull(part: SlicePart): Promise<ReadableStream<Uint8Array> | null> {
    try {
      return await this.open(part);
    } catch (cause) {
      const { imageId, log } = this.#in;
      log.error("store.unavailable", cause, { image_id: imageId, slice: part.slice });
      return null;
    }
  }
}
