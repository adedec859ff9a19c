/**
 * The slices of a fill that is not committed, as one reader of it sees them: sent to its client natively, and read once
 * more where the reader has to prove what it had sent.
 */
import type { FillClient } from "../fill/client.ts";
import type { Cut, Subject } from "../fill/protocol.ts";
import { digestInto } from "../fill/verify.ts";
import type { Log } from "../observe/log.ts";
import { type ImageBody, READ_BYTES } from "../origin/image-body.ts";
import { partsOf, type SlicePart, type SlicePlan, sliceCount, sliceLength, sliceStart } from "../store/slice-plan.ts";
import { etagOf, type SliceStore } from "../store/slices.ts";
import type { ClientBody } from "./client-body.ts";
import { DigestGate } from "./digest-gate.ts";

/** What the client can't be given, because a part of it was not the image or can't be had any more. */
export class Unfinishable extends Error {
  override readonly name = "Unfinishable";
}

export interface FillSlicesJob {
  readonly subject: Subject;
  readonly fill: FillClient;
  readonly slices: SliceStore;
  readonly log: Log;
}

export class FillSlices {
  readonly #job: FillSlicesJob;
  readonly #client: ClientBody;
  #cut: Cut | null = null;
  /** R2's etag of each slice that the client got from the store. */
  readonly #sentEtags = new Map<number, string>();

  constructor(job: FillSlicesJob, client: ClientBody) {
    this.#job = job;
    this.#client = client;
  }

  /** The generation being read, or null before the first turn that named one. */
  get generation(): string | null {
    return this.#cut?.generation ?? null;
  }

  /** Reads this generation from now on. */
  join(cut: Cut): void {
    this.#cut = cut;
  }

  /** How the content being read is cut. */
  plan(): SlicePlan {
    if (this.#cut === null) throw new Unfinishable("no fill was joined");
    return { size: this.#job.subject.size, sliceBytes: this.#cut.sliceBytes };
  }

  /** Sends the slices below `end`, from the client's position on, natively. */
  async send(end: number): Promise<boolean> {
    const plan = this.plan();
    const to = end === sliceCount(plan) ? plan.size : sliceStart(plan, end);
    const parts = partsOf(plan, this.#client.position, to);
    let opening = parts[0] === undefined ? null : this.#open(parts[0]);
    for (const [index, part] of parts.entries()) {
      const body = await opening;
      const next = parts[index + 1];
      if (body === null) return false;
      opening = next === undefined ? null : this.#open(next);
      try {
        await this.#client.pipe(body, part.length);
      } catch (cause) {
        await opening?.then((unused) => unused?.cancel());
        throw cause;
      }
    }
    return true;
  }

  /** Opens a part of a stored slice, or null when it can't be read. */
  async #open(part: SlicePart): Promise<ReadableStream<Uint8Array> | null> {
    const { slices, subject, fill, log } = this.#job;
    const { blob, generation } = this.#cut ?? {};
    if (blob === undefined || generation === undefined) return null;
    const size = sliceLength(this.plan(), part.slice);
    try {
      const opened = await slices.open(blob, generation, { ...part, size }, null);
      if (opened !== null) {
        this.#sentEtags.set(part.slice, opened.etag);
        return opened.body;
      }
      log.info("fill.slice-missing", { image_id: subject.imageId, slice: part.slice });
      await fill.missing(generation);
    } catch (cause) {
      log.error("store.unavailable", cause, { image_id: subject.imageId, slice: part.slice });
    }
    return null;
  }

  /** A digest gate for the whole image. */
  newGate(): DigestGate {
    return new DigestGate(this.#job.subject.digest, this.#job.subject.size, this.#client);
  }

  /** A gate that has seen what was sent, read from the store once more; null when the store does not give it. */
  async gateFromStore(to: number): Promise<DigestGate | null> {
    const gate = this.newGate();
    let buffer = new ArrayBuffer(READ_BYTES);
    for (const part of partsOf(this.plan(), 0, to)) {
      const sent = this.#sentEtags.get(part.slice);
      const body = await this.#open(part);
      if (body === null) return null;
      if (sent !== undefined && sent !== this.#sentEtags.get(part.slice))
        throw new Unfinishable("what was sent is gone");
      buffer = await digestInto({ write: (chunk) => gate.absorb(chunk) }, body, buffer);
    }
    return gate;
  }

  /** The same by the origin's bytes, each slice of which must be the one that was sent (by its MD5, R2's etag). */
  async gateFromOrigin(to: number, body: ImageBody): Promise<DigestGate> {
    const gate = this.newGate();
    for (const { slice, length, whole } of partsOf(this.plan(), 0, to)) {
      const bytes = await body.readWhole(sliceStart(this.plan(), slice), length);
      if (!whole || (await etagOf(bytes)) !== this.#sentEtags.get(slice)) {
        throw new Unfinishable("what was sent can't be proven any more");
      }
      await gate.absorb(bytes);
    }
    return gate;
  }
}
