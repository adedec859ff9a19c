/** A body that is still being written when its answer's head is out already: nobody but the log hears why it broke. */

import type { Call } from "./call.ts";

/** A body of fixed length that is written behind the answer; what breaks is logged, and the client cut. */
export function sendBehind(
  { edge, request, target }: Call,
  length: number,
  sent: () => number,
  write: (writable: WritableStream<Uint8Array>) => Promise<void>,
): { readonly readable: ReadableStream<Uint8Array>; readonly ended: Promise<void> } {
  const { readable, writable } = new FixedLengthStream(length);
  const ended = write(writable).catch(async (cause: unknown) => {
    if (!request.signal.aborted) edge.meter.add("cuts", "cache");
    if (!request.signal.aborted) edge.log.error("download.cut", cause, { image_id: target.imageId, sent: sent() });
    await writable.abort(cause).catch(() => undefined);
  });
  edge.background(ended);
  return { readable, ended };
}
