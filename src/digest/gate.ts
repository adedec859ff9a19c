/**
 * The digest gate: a transform that lets an image's bytes through as they come, but for the last ones, which it holds back
 * until length and digest of the whole agree with the record. If they do not, its readable breaks, so that a wrong image
 * never ends as a success (invariant 2): `body.pipeThrough(new DigestGate({ ... }))`.
 *
 * Inside are the runtime's own streams and one loop of large reads. A `TransformStream` with a `transform` in JavaScript
 * would bring every 4 KiB through the isolate, at more than ten times the CPU.
 *
 * What is piped into it must not come from such a stream of the runtime itself (workerd: "Inter-TransformStream
 * ReadableStream.pipeTo() is not implemented"); bodies of responses and of R2 do not.
 */
import type { Digest } from "./algorithms.ts";
import { Digester } from "./digester.ts";

/** Held back: enough that a client surely misses it, small enough to copy. */
const HELD_BYTES = 64 * 1024;
const READ_BYTES = 2 ** 20;

/** The data is not the image: other bytes than the digest says, or more of them. */
export class DigestMismatch extends Error {
  override readonly name = "DigestMismatch";
}

/** The data ended before the image did. */
export class TooShort extends Error {
  override readonly name = "TooShort";
}

export interface GateOptions {
  readonly digest: Digest;
  /** Bytes of the whole image. */
  readonly size: number;
  /** Has digested the image's first bytes, which are not sent again. */
  readonly prefix?: Digester;
}

export class DigestGate {
  /** Of fixed length: what is left of the image behind the prefix. */
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  /** Settles when all has gone through. @throws DigestMismatch, TooShort, or why either side broke */
  readonly passed: Promise<void>;

  constructor({ digest, size, prefix }: GateOptions) {
    const digester = prefix ?? new Digester(digest.algorithm);
    const input = new IdentityTransformStream();
    const output = new FixedLengthStream(size - digester.bytes);
    this.writable = input.writable;
    this.readable = output.readable;
    this.passed = pump(input.readable, output.writable, digester, digest, size);
    // Whoever reads the readable sees the failure there.
    this.passed.catch(() => undefined);
  }
}

async function pump(
  input: ReadableStream<Uint8Array>,
  output: WritableStream<Uint8Array>,
  digester: Digester,
  digest: Digest,
  size: number,
): Promise<void> {
  const reader = input.getReader({ mode: "byob" });
  const writer = output.getWriter();
  // Each failure is told where it is awaited; `closed` says the same once more, to nobody.
  reader.closed.catch(() => undefined);
  writer.closed.catch(() => undefined);
  try {
    const held = await passOpen(reader, writer, digester, Math.max(digester.bytes, size - HELD_BYTES), size);
    if ((await digester.finish()) !== digest.hex)
      throw new DigestMismatch("the data does not match the image's digest");
    for (const chunk of held) await writer.write(chunk);
    await writer.close();
  } catch (cause) {
    // Both sides may be broken already; what is thrown here says why.
    await Promise.allSettled([reader.cancel(cause), writer.abort(cause)]);
    throw cause;
  }
}

/** Passes all bytes before `openEnd` on. @returns those behind it */
async function passOpen(
  reader: ReadableStreamBYOBReader,
  writer: WritableStreamDefaultWriter<Uint8Array>,
  digester: Digester,
  openEnd: number,
  size: number,
): Promise<Uint8Array[]> {
  const held: Uint8Array[] = [];
  let buffer = new ArrayBuffer(READ_BYTES);
  for (;;) {
    // One byte more than is expected: a longer body must show itself.
    const wanted = Math.min(READ_BYTES, size - digester.bytes + 1);
    const { value, done } = await reader.readAtLeast(wanted, new Uint8Array(buffer, 0, wanted));
    if (value !== undefined && value.byteLength > 0) {
      const start = digester.bytes;
      if (start + value.byteLength > size) throw new DigestMismatch("the data is longer than the image");
      const open = Math.min(value.byteLength, Math.max(0, openEnd - start));
      if (open < value.byteLength) held.push(value.slice(open));
      const sent = open === 0 ? Promise.resolve() : writer.write(value.subarray(0, open));
      // Both use the buffer: neither may be left behind.
      const results = await Promise.allSettled([sent, digester.write(value)]);
      for (const result of results) if (result.status === "rejected") throw result.reason;
    }
    if (done) break;
    buffer = value?.buffer instanceof ArrayBuffer ? value.buffer : new ArrayBuffer(READ_BYTES);
  }
  if (digester.bytes < size) throw new TooShort(`the data ended after ${digester.bytes} of ${size} bytes`);
  return held;
}
