/**
 * The body of an answer while it is being sent: of a fixed length, so that one which ends early is seen as broken by
 * every client (Content-Length, RFC 9112 section 6.3). Slices are piped into it natively; a puller writes chunks.
 */

export class ClientBody {
  readonly readable: ReadableStream<Uint8Array>;
  /** Bytes in all. */
  readonly length: number;
  #sent = 0;
  readonly #writable: WritableStream<Uint8Array>;
  #position: number;
  #writer: WritableStreamDefaultWriter<Uint8Array> | null = null;
  #pending: Promise<void> = Promise.resolve();

  /**
   * @param length bytes of the body
   * @param start the image's byte that the body begins with
   */
  constructor(length: number, start: number) {
    const { readable, writable } = new FixedLengthStream(length);
    this.readable = readable;
    this.length = length;
    this.#writable = writable;
    this.#position = start;
  }

  /** Bytes that the client took. Of a slice that broke in the middle none are counted. */
  get sent(): number {
    return this.#sent;
  }

  /** The image's byte that the client gets next. */
  get position(): number {
    return this.#position;
  }

  /** Sends a chunk. Its buffer is free again when this resolves. */
  write(chunk: Uint8Array): Promise<void> {
    this.#writer ??= this.#openWriter();
    const { byteLength } = chunk;
    this.#position += byteLength;
    this.#pending = this.#writer.write(chunk).then(() => {
      this.#sent += byteLength;
    });
    return this.#pending;
  }

  /** Sends `length` bytes, all that the source has, without JavaScript touching them. */
  async pipe(source: ReadableStream<Uint8Array>, length: number): Promise<void> {
    await this.#releaseWriter();
    await source.pipeTo(this.#writable, { preventClose: true, preventAbort: true });
    this.#position += length;
    this.#sent += length;
  }

  /** Ends the body. @throws TypeError when bytes are missing: the client sees a broken transfer */
  async end(): Promise<void> {
    await this.#releaseWriter();
    await this.#writable.close();
  }

  /** Cuts the connection: the client sees a broken transfer. */
  async cut(reason: Error): Promise<void> {
    // A writer that is still at work rejects; the connection is gone either way.
    this.#pending.catch(() => undefined);
    const aborted = this.#writer === null ? this.#writable.abort(reason) : this.#writer.abort(reason);
    await aborted.catch(() => undefined);
  }

  #openWriter(): WritableStreamDefaultWriter<Uint8Array> {
    const writer = this.#writable.getWriter();
    // A failed write tells its caller; `closed` says the same once more, to nobody.
    writer.closed.catch(() => undefined);
    return writer;
  }

  async #releaseWriter(): Promise<void> {
    if (this.#writer === null) return;
    await this.#pending;
    this.#writer.releaseLock();
    this.#writer = null;
  }
}
