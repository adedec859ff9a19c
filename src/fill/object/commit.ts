/**
 * The commit: the slices of a complete fill, piped natively into one object that R2 digests while it stores it. An image too
 * large for one put becomes parts, each checked by R2 as well, and then a manifest in the object's place. Either gives way to
 * readers, who want the same slices from the same store.
 */
import type { ObjectStore, PutAnswer } from "../../store/objects.ts";
import type { PartStore } from "../../store/parts.ts";
import { sliceCount, sliceLength, sliceStart } from "../../store/slice-plan.ts";
import type { SliceStore } from "../../store/slices.ts";
import { slicesOf } from "./parts.ts";
import type { Filling } from "./state.ts";

export interface CommitJob {
  readonly filling: Filling;
  readonly slices: SliceStore;
  readonly objects: ObjectStore;
  readonly parts: PartStore;
  /** ms since the epoch; until then ranges of the object are refused. */
  readonly rangesFrom: number;
  /** How long to wait before each slice, ms. */
  readonly pause: () => number;
  /** Whether the image was taken out meanwhile. */
  readonly stopped: () => boolean;
}

export type CommitEnd = "kept" | "wrong-digest" | "unknown";

/** A slice is gone, or R2 gives none. */
export class SliceMissing extends Error {
  override readonly name = "SliceMissing";
}

/**
 * Keeps a complete fill.
 * @throws whatever R2 throws: the next try begins with a look at what is there
 */
export async function commit(job: CommitJob): Promise<CommitEnd> {
  const { filling, objects } = job;
  const { subject, attempt } = filling;
  // Looked at first: a put that finds its key taken costs as much as any other (the simulator digests all of it).
  const there = await objects.head(subject.imageId);
  if (there !== null) {
    if (there !== "foreign" && there.attempt === attempt && (await hasAllParts(job))) return "kept";
    // Of an attempt before this one, of nobody, or a manifest that names what is not there: put again behind its removal.
    await objects.remove(subject.imageId);
    return "unknown";
  }
  try {
    const put = filling.partBytes === null ? await putWhole(job) : await putParts(job, filling.partBytes);
    return put === "created" ? "kept" : put === "exists" ? "unknown" : "wrong-digest";
  } catch (cause) {
    // Its fate is not known: it may have been stored, and only its answer was lost.
    const now = await objects.head(subject.imageId);
    if (now !== null && now !== "foreign" && now.attempt === attempt) return "kept";
    throw cause;
  }
}

/** Whether the parts that a manifest of this attempt names are all there. @throws whatever R2 throws */
async function hasAllParts({ filling, parts }: CommitJob): Promise<boolean> {
  const { subject, attempt, partBytes, sums } = filling;
  return partBytes === null || parts.hasAll({ imageId: subject.imageId, attempt }, sums);
}

async function putWhole(job: CommitJob): Promise<PutAnswer> {
  const { filling, objects, rangesFrom } = job;
  const { subject, attempt, size } = filling;
  const put = { attempt, digest: subject.digest, rangesFrom };
  return putPiped(job, 0, sliceCount(filling), size, (body) => objects.put(subject.imageId, body, put));
}

async function putParts(job: CommitJob, partBytes: number): Promise<PutAnswer> {
  const { filling, objects, parts, rangesFrom, stopped } = job;
  const { subject, attempt, size, sums } = filling;
  const source = { imageId: subject.imageId, attempt };
  const count = sliceCount(filling);
  for (const [part, sum] of sums.entries()) {
    if (stopped()) return "exists";
    // Stored by a try before this one.
    if (await parts.has(source, part, sum)) continue;
    const { from, to } = slicesOf(filling, partBytes, part, count);
    const bytes = Math.min(size, sliceStart(filling, to)) - sliceStart(filling, from);
    await putPiped(job, from, to, bytes, (body) => parts.put(source, part, sum, body));
  }
  return objects.putManifest(
    subject.imageId,
    size,
    { partBytes, sums },
    { attempt, digest: subject.digest, rangesFrom },
  );
}

/** One put of the slices `from` (inclusive) to `to` (exclusive), `bytes` in all. @throws why either side broke */
async function putPiped<T>(
  job: CommitJob,
  from: number,
  to: number,
  bytes: number,
  put: (body: ReadableStream<Uint8Array>) => Promise<T>,
): Promise<T> {
  const { readable, writable } = new FixedLengthStream(bytes);
  const ended = new AbortController();
  const piping = pipe(job, from, to, writable, ended.signal);
  try {
    return await put(readable);
  } catch (cause) {
    ended.abort(new Error("the put has ended"));
    const broke = await piping;
    // A pipe that broke by itself says more than that the put did, which breaks with it.
    throw broke === null ? cause : broke.cause;
  } finally {
    // A put that has ended without reading all would leave the pipe waiting for ever.
    ended.abort(new Error("the put has ended"));
    await piping;
  }
}

/** Never rejects. @returns why it broke by itself; null when it did not */
async function pipe(
  { filling, slices, pause }: CommitJob,
  from: number,
  to: number,
  writable: WritableStream<Uint8Array>,
  signal: AbortSignal,
): Promise<{ readonly cause: unknown } | null> {
  const source = { imageId: filling.subject.imageId, attempt: filling.attempt };
  try {
    for (let slice = from; slice < to; slice++) {
      const ms = pause();
      if (ms > 0) await scheduler.wait(ms);
      const length = sliceLength(filling, slice);
      const body = await slices.open(source, { slice, size: length, offset: 0, length });
      if (body === null) throw new SliceMissing(`slice ${slice} of a complete fill is gone`);
      await body.pipeTo(writable, { preventClose: true, preventAbort: true, signal });
    }
    await writable.close();
    return null;
  } catch (cause) {
    const broke = signal.aborted ? null : { cause };
    await writable.abort(cause).catch(() => undefined);
    return broke;
  }
}
