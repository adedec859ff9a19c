/**
 * What one demo origin holds and makes at the most. Through an edge that others can reach, its API is theirs too: nobody may
 * fill this machine's memory or disk by it, or keep a core busy.
 */
import { HttpError } from "./http/webob-error.ts";

/** Larger images are refused, and so are more bytes behind an image's end: each one made costs its digests. */
export const MAX_IMAGE_BYTES = 64 * 2 ** 30;

/** Records of images, in all namespaces together, and what one record may take in JSON. */
const MAX_IMAGES = 10_000;
export const MAX_RECORD_BYTES = 64 * 1024;

/** Glance's default for image_member_quota (glance/common/config.py). */
export const MAX_MEMBERS = 128;

/** Uploaded data, in all namespaces together. It's in files, but a directory for these is often in memory. */
const MAX_UPLOADED_BYTES = 512 * 2 ** 20;

/** Private origins; more than a run of all tests makes. */
export const MAX_NAMESPACES = 2000;

/** Requests in the log, those of all namespaces together: at most 16 KiB of headers each (node:http's own limit). */
export const MAX_LOGGED = 10_000;

/** Deliveries that a namespace's receiver of notifications keeps; at most 1 MiB each. */
export const MAX_DELIVERIES = 200;

/** Tokens that a namespace's Keystone has given out. */
export const MAX_TOKENS = 1000;

/** Any wait that a test asks for. */
export const MAX_DELAY_MS = 3_600_000;

/** What is left of the room that all namespaces share. */
export class Room {
  #images = 0;
  #uploadedBytes = 0;
  readonly #maxUploadedBytes: number;

  constructor(maxUploadedBytes = MAX_UPLOADED_BYTES) {
    this.#maxUploadedBytes = maxUploadedBytes;
  }

  /** @throws HttpError 413 */
  takeImage(): void {
    if (this.#images >= MAX_IMAGES) throw new HttpError(413, `The demo origin keeps at most ${MAX_IMAGES} images.`);
    this.#images++;
  }

  giveImage(): void {
    this.#images--;
  }

  /** @throws HttpError 413 in Glance's words (glance/common/exception.py, StorageQuotaFull) when so many bytes don't fit */
  expectBytes(bytes: number): void {
    const left = this.#maxUploadedBytes - this.#uploadedBytes;
    if (bytes > left) {
      throw new HttpError(413, `The size of the data ${bytes} will exceed the limit. ${left} bytes remaining.`);
    }
  }

  /** @throws HttpError as {@link expectBytes} */
  takeBytes(bytes: number): void {
    this.expectBytes(bytes);
    this.#uploadedBytes += bytes;
  }

  giveBytes(bytes: number): void {
    this.#uploadedBytes -= bytes;
  }
}
