/** Where the body of an answer ends, whichever way the server says so (RFC 9112, section 6). */

export interface Body {
  /** @returns whether the body has ended */
  read(bytes: Buffer, onBytes: (bytes: Buffer) => void): boolean;
}

/** Content-Length. */
export class Fixed implements Body {
  #left: number;

  constructor(length: number) {
    this.#left = length;
  }

  read(bytes: Buffer, onBytes: (bytes: Buffer) => void): boolean {
    // What is too much is given as well: the sum shows it.
    if (bytes.length > 0) onBytes(bytes);
    this.#left -= bytes.length;
    return this.#left <= 0;
  }
}

/** Transfer-Encoding: chunked, without extensions' meaning and without trailers. */
export class Chunked implements Body {
  /** Of the chunk that is read now. */
  #left = 0;
  /** What has come of the line that says how long the next chunk is; it begins with the last one's line end. */
  #line = "\r\n";

  read(bytes: Buffer, onBytes: (bytes: Buffer) => void): boolean {
    for (let at = 0; at < bytes.length; ) {
      if (this.#left > 0) {
        const piece = bytes.subarray(at, at + this.#left);
        onBytes(piece);
        this.#left -= piece.length;
        at += piece.length;
        continue;
      }
      const end = bytes.indexOf("\n", at);
      this.#line += bytes.toString("latin1", at, end < 0 ? bytes.length : end + 1);
      at = end < 0 ? bytes.length : end + 1;
      const [, length] = /^\r\n([0-9a-f]+)[^\n]*\n$/i.exec(this.#line) ?? [];
      if (length === undefined) continue;
      this.#left = Number.parseInt(length, 16);
      this.#line = "";
      if (this.#left === 0) return true;
    }
    return false;
  }
}
