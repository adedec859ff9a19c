/**
 * The digest gate: what is written to it goes to the client at once, but for the last bytes, which are held back until
 * length and digest of the whole agree with the record. If they do not, the client's connection is cut, so that a wrong
 * image never ends as a success (invariant 2).
 *
 * It is fed with large chunks and hashes each while the client's side takes it: the form that the runtime runs with the
 * least CPU. A TransformStream or `pipeTo(DigestStream)` would bring every 4 KiB through JavaScript.
 */
import { toHex } from "../hex.ts";
import { type Digest, WEB_CRYPTO_NAME } from "../store/blob.ts";

/** Held back: enough that a client surely misses it, small enough to copy. */
const HELD_BYTES = 64 * 1024;

export class DigestMismatch extends Error {
  override readonly name = "DigestMismatch";
}

/** Digests a content that is written in order. */
export class Digester {
  readonly #expected: Digest;
  readonly #stream: DigestStream;
  readonly #writer: WritableStreamDefaultWriter<ArrayBuffer | ArrayBufferView>;

  constructor(expected: Digest) {
    this.#expected = expected;
    this.#stream = new crypto.DigestStream(WEB_CRYPTO_NAME[expected.algorithm]);
    this.#writer = this.#stream.getWriter();
    // Whoever gives up the digest half way does not wait for it; the rejection is nobody's news then.
    this.#stream.digest.catch(() => undefined);
    this.#writer.closed.catch(() => undefined);
  }

  write(chunk: Uint8Array): Promise<void> {
    return this.#writer.write(chunk);
  }

  /** @returns whether all that was written has the expected digest */
  async agrees(): Promise<boolean> {
    await this.#writer.close();
    return toHex(await this.#stream.digest) === this.#expected.hex;
  }
}

/** Where the gate's bytes go. */
export interface Sink {
  write(chunk: Uint8Array): Promise<void>;
}

export class DigestGate {
  readonly #digester: Digester;
  readonly #sink: Sink;
  /** The image's byte from which on bytes are held back. */
  readonly #heldFrom: number;
  readonly #held: Uint8Array[] = [];
  #position = 0;

  constructor(digest: Digest, size: number, sink: Sink) {
    this.#digester = new Digester(digest);
    this.#sink = sink;
    this.#heldFrom = Math.max(0, size - HELD_BYTES);
  }

  /** Digests bytes that the client has already, or gets by another way. */
  async absorb(chunk: Uint8Array): Promise<void> {
    this.#position += chunk.byteLength;
    await this.#digester.write(chunk);
  }

  /** Digests bytes and sends them on. When it resolves, the chunk's buffer is free again. */
  async write(chunk: Uint8Array): Promise<void> {
    const open = Math.min(chunk.byteLength, Math.max(0, this.#heldFrom - this.#position));
    this.#position += chunk.byteLength;
    if (open < chunk.byteLength) this.#held.push(chunk.slice(open));
    const sent = open === 0 ? Promise.resolve() : this.#sink.write(chunk.subarray(0, open));
    const results = await Promise.allSettled([sent, this.#digester.write(chunk)]);
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  /** Ends the image without sending anything more. @throws DigestMismatch */
  async check(): Promise<void> {
    if (!(await this.#digester.agrees())) throw new DigestMismatch("the image data does not match its digest");
  }

  /** Ends the image: sends what was held back if the digest agrees. @throws DigestMismatch */
  async finish(): Promise<void> {
    await this.check();
    for (const chunk of this.#held) await this.#sink.write(chunk);
  }
}
