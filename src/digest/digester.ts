/** Digests content that is written or read in order, in large pieces: `pipeTo(DigestStream)` would cost five times the CPU. */
import { toHex } from "../lib/hex.ts";
import { type Algorithm, WEB_CRYPTO_NAME } from "./algorithms.ts";

/** One read asks for up to this many bytes: measured as the size from which larger reads gain nothing. */
const READ_BYTES = 2 ** 20;

export class Digester {
  readonly #stream: DigestStream;
  readonly #writer: WritableStreamDefaultWriter<ArrayBuffer | ArrayBufferView>;
  #bytes = 0;

  constructor(algorithm: Algorithm) {
    this.#stream = new crypto.DigestStream(WEB_CRYPTO_NAME[algorithm]);
    this.#writer = this.#stream.getWriter();
    // Whoever gives up the digest half way does not wait for it; the rejection is nobody's news then.
    this.#stream.digest.catch(() => undefined);
    this.#writer.closed.catch(() => undefined);
  }

  /** Bytes so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** When it resolves, the chunk's buffer is free again. */
  async write(chunk: Uint8Array): Promise<void> {
    this.#bytes += chunk.byteLength;
    await this.#writer.write(chunk);
  }

  /**
   * Reads a body to its end.
   * @throws whatever the body throws
   */
  async absorb(body: ReadableStream<Uint8Array>): Promise<void> {
    const reader = body.getReader({ mode: "byob" });
    // A failed read tells its caller; `closed` says the same once more, to nobody.
    reader.closed.catch(() => undefined);
    let buffer = new ArrayBuffer(READ_BYTES);
    for (;;) {
      const { value, done } = await reader.readAtLeast(READ_BYTES, new Uint8Array(buffer));
      if (value !== undefined && value.byteLength > 0) await this.write(value);
      if (done) return;
      // A read takes the buffer that it was given and gives it back with the bytes.
      buffer = value?.buffer instanceof ArrayBuffer ? value.buffer : new ArrayBuffer(READ_BYTES);
    }
  }

  /** Ends the content. @returns its digest, lower-case hex */
  async finish(): Promise<string> {
    await this.#writer.close();
    return toHex(await this.#stream.digest);
  }
}
