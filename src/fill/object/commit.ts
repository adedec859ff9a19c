/**
 * The one put: the slices of a complete fill, piped natively into one object that R2 digests while it stores it. That put is
 * the commit. It gives way to readers, who want the same slices from the same store.
 */
import type { ObjectStore } from "../../store/objects.ts";
import { sliceCount, sliceLength } from "../../store/slice-plan.ts";
import type { SliceStore } from "../../store/slices.ts";
import type { Filling } from "./rules.ts";

export interface CommitJob {
  readonly filling: Filling;
  readonly slices: SliceStore;
  readonly objects: ObjectStore;
  /** ms since the epoch; until then ranges of the object are refused. */
  readonly rangesFrom: number;
  /** How long to wait before each slice, ms. */
  readonly pause: () => number;
}

export type CommitEnd = "kept" | "wrong-digest" | "unknown";

/**
 * Keeps a complete fill as one object.
 * @throws whatever R2 throws before or after the put itself
 */
export async function commit({ filling, slices, objects, rangesFrom, pause }: CommitJob): Promise<CommitEnd> {
  const { subject, attempt } = filling;
  const { imageId, digest } = subject;
  // Looked at first: a put that finds its key taken costs as much as any other (the simulator digests all of it).
  const there = await objects.head(imageId);
  if (there !== null) {
    if (there !== "foreign" && there.attempt === attempt) return "kept";
    // Of an attempt before this one, or of nobody.
    await objects.remove(imageId);
    return "unknown";
  }
  const { readable, writable } = new FixedLengthStream(filling.size);
  const ended = new AbortController();
  /** Why the pipe broke by itself: says more than that the put did, which breaks with it. */
  let broken: { readonly cause: unknown } | null = null;
  const piping = pipe(filling, slices, writable, pause, ended.signal, (cause) => {
    broken ??= ended.signal.aborted ? null : { cause };
  });
  try {
    const put = await objects.put(imageId, readable, { attempt, digest, rangesFrom });
    return put === "created" ? "kept" : put === "exists" ? "unknown" : "wrong-digest";
  } catch (cause) {
    // Its fate is not known: it may have been stored, and only its answer was lost.
    const now = await objects.head(imageId);
    if (now !== null && now !== "foreign" && now.attempt === attempt) return "kept";
    throw whyOf(broken, cause);
  } finally {
    // A put that has ended without reading all would leave the pipe waiting for ever.
    ended.abort(new Error("the put has ended"));
    await piping;
  }
}

/** A slice is gone, or R2 gives none. */
export class SliceMissing extends Error {
  override readonly name = "SliceMissing";
}

function whyOf(broken: { readonly cause: unknown } | null, cause: unknown): unknown {
  return broken === null ? cause : broken.cause;
}

/** Never rejects. */
async function pipe(
  filling: Filling,
  slices: SliceStore,
  writable: WritableStream<Uint8Array>,
  pause: () => number,
  signal: AbortSignal,
  broke: (cause: unknown) => void,
): Promise<void> {
  const source = { imageId: filling.subject.imageId, attempt: filling.attempt };
  try {
    for (let slice = 0; slice < sliceCount(filling); slice++) {
      const ms = pause();
      if (ms > 0) await scheduler.wait(ms);
      const length = sliceLength(filling, slice);
      const body = await slices.open(source, { slice, size: length, offset: 0, length });
      if (body === null) throw new SliceMissing(`slice ${slice} of a complete fill is gone`);
      await body.pipeTo(writable, { preventClose: true, preventAbort: true, signal });
    }
    await writable.close();
  } catch (cause) {
    broke(cause);
    await writable.abort(cause).catch(() => undefined);
  }
}
