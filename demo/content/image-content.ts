/**
 * Where an image's bytes come from: generated ones from their seed, uploaded ones from a file. Neither is ever whole in
 * memory.
 */
import { type FileHandle, open, rm } from "node:fs/promises";
import { fillVirtualBytes } from "./virtual-bytes.ts";

export interface ImageContent {
  /** Bytes. */
  readonly size: number;
  /** Two contents with the same key have the same bytes; null when nothing is known. */
  readonly key: string | null;
  /** One download's view, good until it's closed even when the image is deleted meanwhile. */
  open(): Promise<ContentReader>;
  /** Gives back what the content holds. */
  discard(): Promise<void>;
}

export interface ContentReader {
  /** The bytes [from, from + length), in memory of their own. @throws RangeError when they are not all there */
  read(from: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

export class VirtualContent implements ImageContent {
  readonly size: number;
  readonly key: string;
  readonly #seed: number;

  constructor(seed: number, size: number) {
    this.#seed = seed;
    this.size = size;
    this.key = `${seed}:${size}`;
  }

  async open(): Promise<ContentReader> {
    return {
      read: async (from, length) => {
        if (from + length > this.size) throw new RangeError("beyond the image's end");
        const bytes = Buffer.allocUnsafeSlow(length);
        fillVirtualBytes(bytes, this.#seed, from);
        return bytes;
      },
      close: async () => undefined,
    };
  }

  async discard(): Promise<void> {
    // Nothing is held.
  }
}

export class FileContent implements ImageContent {
  readonly size: number;
  readonly key = null;
  readonly #path: string;
  readonly #discarded: () => void;

  /** @param discarded called when the file is gone */
  constructor(path: string, size: number, discarded: () => void) {
    this.#path = path;
    this.size = size;
    this.#discarded = discarded;
  }

  async open(): Promise<ContentReader> {
    const file = await open(this.#path, "r");
    return { read: (from, length) => readFully(file, from, length), close: () => file.close() };
  }

  async discard(): Promise<void> {
    await rm(this.#path, { force: true });
    this.#discarded();
  }
}

async function readFully(file: FileHandle, from: number, length: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, length - done, from + done);
    if (bytesRead === 0) throw new RangeError("beyond the image's end");
    done += bytesRead;
  }
  return bytes;
}
