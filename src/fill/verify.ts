/**
 * The read-back: stored slices are read from R2 in order and digested, because only what comes back out of the store
 * proves what is in it (invariant 3). One pass, in one invocation: a digest's state can't be carried to another.
 */
import { Digester } from "../download/digest-gate.ts";
import { READ_BYTES } from "../origin/image-body.ts";
import type { Digest } from "../store/blob.ts";
import { type SlicePlan, sliceCount, sliceLength } from "../store/slice-plan.ts";
import type { SliceStore } from "../store/slices.ts";

export interface ReadBack {
  readonly blob: string;
  readonly digest: Digest;
  readonly generation: string;
  readonly plan: SlicePlan;
  readonly slices: SliceStore;
  /** The etag of a slice, once it is stored; null gives up. */
  readonly etagOf: (slice: number) => Promise<string | null>;
  /** Called after each slice. */
  readonly progressed: () => void;
}

export type Verdict = "agrees" | "disagrees" | "slice-missing" | "gave-up";

/** @throws whatever R2 throws */
export async function verifySlices(job: ReadBack): Promise<Verdict> {
  const digester = new Digester(job.digest);
  let buffer = new ArrayBuffer(READ_BYTES);
  for (let slice = 0; slice < sliceCount(job.plan); slice++) {
    const etag = await job.etagOf(slice);
    if (etag === null) return "gave-up";
    const size = sliceLength(job.plan, slice);
    const opened = await job.slices.open(job.blob, job.generation, { slice, size, offset: 0, length: size }, etag);
    if (opened === null) return "slice-missing";
    buffer = await digestInto(digester, opened.body, buffer);
    job.progressed();
  }
  return (await digester.agrees()) ? "agrees" : "disagrees";
}

/** Digests a body to its end, in large reads. @returns the buffer, for the next one */
export async function digestInto(
  digester: Pick<Digester, "write">,
  body: ReadableStream<Uint8Array>,
  buffer: ArrayBuffer,
): Promise<ArrayBuffer> {
  const reader = body.getReader({ mode: "byob" });
  for (;;) {
    const { value, done } = await reader.readAtLeast(READ_BYTES, new Uint8Array(buffer));
    if (value !== undefined && value.byteLength > 0) await digester.write(value);
    buffer = value?.buffer instanceof ArrayBuffer ? value.buffer : new ArrayBuffer(READ_BYTES);
    if (done) return buffer;
  }
}
