/**
 * A download on its way: of a fixed length, so that one which ends early is seen as broken by every client (Content-Length,
 * RFC 9112 section 6.3), and counted, so that who wants to know is told how much was sent.
 */

const CHUNK_BYTES = 2 ** 20;

/** Counts of one download. */
export interface Sending {
  readonly readable: ReadableStream<Uint8Array>;
  /** Bytes that the client was given; of natively piped pieces those that went whole. */
  readonly sent: () => number;
  /** Settles when the download has ended, well or not. Never rejects. */
  readonly ended: Promise<void>;
}

/** Sends a body of this length and counts its bytes, which costs about twice the CPU of handing it over. */
export function countedBody(body: ReadableStream<Uint8Array>, length: number): Sending {
  const { readable, writable } = new FixedLengthStream(length);
  let sent = 0;
  const ended = copy(body, writable, (bytes) => {
    sent += bytes;
  }).catch(async (cause: unknown) => {
    // The other side learns it here.
    await writable.abort(cause).catch(() => undefined);
  });
  return { readable, sent: () => sent, ended };
}

/**
 * Copies a body and closes, in large pieces: `pipeTo` between two streams that the edge itself has made is not implemented
 * ("Inter-TransformStream ReadableStream.pipeTo()", workerd).
 * @throws why either side broke; the body is cancelled then, and the writable left as it is
 */
export async function copy(
  body: ReadableStream<Uint8Array>,
  writable: WritableStream<Uint8Array>,
  count: (bytes: number) => void = () => undefined,
): Promise<void> {
  const reader = body.getReader({ mode: "byob" });
  const writer = writable.getWriter();
  // Each failure is told where it is awaited; `closed` says the same once more, to nobody.
  reader.closed.catch(() => undefined);
  writer.closed.catch(() => undefined);
  let buffer = new ArrayBuffer(CHUNK_BYTES);
  try {
    for (;;) {
      const { value, done } = await reader.readAtLeast(CHUNK_BYTES, new Uint8Array(buffer));
      if (value !== undefined && value.byteLength > 0) {
        await writer.write(value);
        count(value.byteLength);
      }
      if (done) break;
      buffer = value?.buffer instanceof ArrayBuffer ? value.buffer : new ArrayBuffer(CHUNK_BYTES);
    }
    await writer.close();
  } catch (cause) {
    await reader.cancel(cause).catch(() => undefined);
    throw cause;
  } finally {
    writer.releaseLock();
  }
}
