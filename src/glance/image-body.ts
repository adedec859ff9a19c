/**
 * An image's bytes from the origin, read in order in large pieces (BYOB: a plain read of a runtime stream gives 4 KiB
 * at a time and costs many times the CPU). A connection that breaks is opened again at the next byte; an origin that
 * ignores Range, or can't read from the middle, is skipped forward; wrong lengths are told, never papered over.
 */

import { callerHeaders } from "../http/headers.ts";
import { withDeadline } from "../lib/deadline.ts";
import { fetchOrigin, type OriginAccess, OriginUnreachable } from "./forward.ts";
import { dataPath, type ImageTarget } from "./target.ts";

/** One read asks for up to this many bytes: measured as the size from which larger reads gain nothing. */
const READ_BYTES = 2 ** 20;

/** What one read waits for at the least: below that in the stall time (13 KiB/s in 20 s) the origin has stalled. */
const READ_AT_LEAST = 2 ** 18;
/** How long the first byte of an answer may take: an origin that fetches from afar itself needs its time. */
const HEADERS_MS = 120_000;
/** Waits before each further try at the same byte, ms. So many tries without progress, then the download ends. */
const RETRY_DELAYS_MS = [200, 800, 2500];
const UNWANTED = "nobody wants the image's data any more";

export type ImageBodyProblem =
  /** The origin answered, but not with the data: its refusal is `response`. */
  | { readonly reason: "refused"; readonly response: Response }
  /** The body ended early, again and again at the same byte. */
  | { readonly reason: "short" }
  /** There was more than the record's size. */
  | { readonly reason: "long" }
  | { readonly reason: "encoded" }
  /** It has taken more bytes than it may: an origin that is read from byte 0 each time would go on for ever. */
  | { readonly reason: "dear" };

export class ImageBodyError extends Error {
  override readonly name = "ImageBodyError";
  readonly problem: ImageBodyProblem;

  constructor(problem: ImageBodyProblem, options?: ErrorOptions) {
    super(
      problem.reason === "refused"
        ? `the origin refused the image data with status ${problem.response.status}`
        : `the origin's image data is ${problem.reason}`,
      options,
    );
    this.problem = problem;
  }
}

export interface ImageSource {
  readonly target: ImageTarget;
  /** The caller's own headers: the download happens under the caller's rights. */
  readonly caller: Headers;
  readonly at: OriginAccess;
  /** Bytes of the whole image. */
  readonly size: number;
  /** An origin that sends nothing for so long has stalled: another connection may do better. */
  readonly stallMs: number;
  /** Other waits than {@link RETRY_DELAYS_MS}, for who tries again by itself. */
  readonly retryDelaysMs?: readonly number[];
  /** Bytes that may be taken from the origin, those that are skipped included. */
  readonly maxBytes?: number;
}

export class ImageBody {
  readonly #source: ImageSource;
  #reader: ReadableStreamBYOBReader | null = null;
  /** The image's byte that the open reader gives next. */
  #position = 0;
  /** Whether the origin's store may read from the middle, for all that is known. */
  #mayReadAtRandom = true;
  #cancelled = false;
  /** Ends a request whose answer is not there yet. */
  #opening: AbortController | null = null;
  #fetched = 0;
  #firstByteMs: number | null = null;
  #buffer: ArrayBuffer | null = null;

  constructor(source: ImageSource) {
    this.#source = source;
  }

  /** Bytes that the origin has sent, those that were skipped included. */
  get fetched(): number {
    return this.#fetched;
  }

  /** From the first request that was answered with data to that answer, ms: Glance sends its head with the first byte. */
  get firstByteMs(): number | null {
    return this.#firstByteMs;
  }

  /**
   * Opens the data at a byte. Needed before the first read, so that the origin's first answer can be looked at.
   * @returns the headers of the answer
   * @throws ImageBodyError "refused" with the origin's answer unread, or "encoded"
   * @throws OriginUnreachable, BadOriginAnswer, DeadlineExceeded
   */
  async open(from: number): Promise<Headers> {
    const asked = Date.now();
    const first = this.#mayReadAtRandom ? from : 0;
    let response = await this.#request(first);
    let start = startOf(response, first);
    // Glance's word for a store without random access: Ceph RBD, S3, Swift, VMware, HTTP (glance_store/capabilities.py).
    // Another bad request stays one without its Range.
    if (first > 0 && response.status === 400) {
      await response.body?.cancel();
      this.#mayReadAtRandom = false;
      response = await this.#request(0);
      start = startOf(response, 0);
    }
    if (this.#cancelled) {
      await response.body?.cancel();
      throw new Error(UNWANTED);
    }
    if (start === null || response.body === null) throw new ImageBodyError({ reason: "refused", response });
    if ((response.headers.get("content-encoding") ?? "identity") !== "identity") {
      await response.body.cancel();
      throw new ImageBodyError({ reason: "encoded" });
    }
    this.#firstByteMs ??= Date.now() - asked;
    this.#reader = response.body.getReader({ mode: "byob" });
    // A failed read tells its caller; `closed` says the same once more, to nobody.
    this.#reader.closed.catch(() => undefined);
    this.#position = start;
    await this.#skipTo(from);
    return response.headers;
  }

  /**
   * Reads the next bytes from `at` on: at least one and at most `most`. They are valid until the next read, which
   * takes their buffer.
   * @throws ImageBodyError, OriginUnreachable, BadOriginAnswer, DeadlineExceeded when the origin does not give the bytes after
   *   all tries; the answer of a refusal is unread
   */
  async read(at: number, most: number): Promise<Uint8Array> {
    const wanted = Math.min(most, this.#source.size - at, READ_BYTES);
    const delays = this.#source.retryDelaysMs ?? RETRY_DELAYS_MS;
    for (let failures = 0; ; ) {
      let cause: unknown;
      try {
        if (this.#cancelled) throw new Error(UNWANTED);
        if (this.#reader === null || this.#position !== at) await this.#reopen(at);
        const chunk = await this.#take(wanted);
        if (chunk !== null) return chunk;
        cause = new ImageBodyError({ reason: "short" });
      } catch (error) {
        cause = error;
      }
      this.#drop();
      const delay = delays[failures++];
      if (this.#cancelled || delay === undefined || isFinal(cause)) throw cause;
      if (cause instanceof ImageBodyError && cause.problem.reason === "refused") {
        await cause.problem.response.body?.cancel();
      }
      await scheduler.wait(delay);
    }
  }

  /**
   * Sends all bytes from this one on, and closes.
   * @throws as {@link read} and {@link expectEnd}, or why the writable broke; it is aborted with the same cause
   */
  async sendTo(writable: WritableStream<Uint8Array>, from: number): Promise<void> {
    const writer = writable.getWriter();
    // A failed write tells its caller; `closed` says the same once more, to nobody.
    writer.closed.catch(() => undefined);
    try {
      for (let at = from; at < this.#source.size; ) {
        const chunk = await this.read(at, READ_BYTES);
        at += chunk.byteLength;
        await writer.write(chunk);
      }
      await this.expectEnd();
      await writer.close();
    } catch (cause) {
      await writer.abort(cause).catch(() => undefined);
      throw cause;
    }
  }

  /** Makes sure that nothing follows the image's last byte. @throws ImageBodyError "long" */
  async expectEnd(): Promise<void> {
    // A body that was reopened, or broke exactly here, has no more to tell.
    if (this.#reader === null) return;
    // One that is whole and does not end, for want of a last chunk, is judged by its digest as any other.
    const ending = this.#reader.readAtLeast(1, new Uint8Array(1));
    const rest = await withDeadline("the end of the image", this.#source.stallMs, ending).catch(() => null);
    const surplus = rest?.value !== undefined && rest.value.byteLength > 0;
    this.#drop();
    if (surplus) throw new ImageBodyError({ reason: "long" });
  }

  /** Lets go of the origin's connection. */
  cancel(): void {
    this.#cancelled = true;
    this.#opening?.abort();
    this.#drop();
  }

  #request(from: number): Promise<Response> {
    const { caller, target } = this.#source;
    const headers = callerHeaders(caller);
    headers.set("accept-encoding", "identity");
    if (from > 0) headers.set("range", `bytes=${from}-`);
    return this.#fetch(dataPath(target), headers);
  }

  async #fetch(path: string, headers: Headers): Promise<Response> {
    const opening = new AbortController();
    this.#opening = opening;
    try {
      const asking = fetchOrigin(this.#source.at, path, { method: "GET", headers, signal: opening.signal });
      return await withDeadline("the origin's answer", HEADERS_MS, asking);
    } catch (cause) {
      opening.abort();
      throw cause;
    } finally {
      this.#opening = null;
    }
  }

  async #reopen(at: number): Promise<void> {
    this.#drop();
    await this.open(at);
  }

  /** Reads and drops what an origin that begins at 0 sends before the wanted byte. */
  async #skipTo(at: number): Promise<void> {
    while (this.#position < at) {
      if ((await this.#take(at - this.#position)) === null) throw new ImageBodyError({ reason: "short" });
    }
  }

  /** One read of the open body, in the one buffer that all reads share; null at its end. */
  async #take(most: number): Promise<Uint8Array | null> {
    const wanted = Math.min(most, READ_BYTES);
    // A read that fails keeps the buffer it was given (Streams standard: it is transferred).
    const buffer = this.#buffer ?? new ArrayBuffer(READ_BYTES);
    this.#buffer = null;
    const reading = this.#reader?.readAtLeast(Math.min(wanted, READ_AT_LEAST), new Uint8Array(buffer, 0, wanted));
    const result =
      reading === undefined ? undefined : await withDeadline("a read from the origin", this.#source.stallMs, reading);
    const chunk = result?.value;
    if (chunk === undefined) return null;
    if (chunk.buffer instanceof ArrayBuffer) this.#buffer = chunk.buffer;
    if (chunk.byteLength === 0) return null;
    this.#fetched += chunk.byteLength;
    this.#position += chunk.byteLength;
    if (this.#fetched > (this.#source.maxBytes ?? Number.POSITIVE_INFINITY))
      throw new ImageBodyError({ reason: "dear" });
    return chunk;
  }

  #drop(): void {
    const reader = this.#reader;
    this.#reader = null;
    // A connection that broke already can't be cancelled once more; there is nothing to tell anybody.
    reader?.cancel().catch(() => undefined);
  }
}

/** The image's byte at which this answer's body starts, or null when it is not the data. */
function startOf(response: Response, from: number): number | null {
  if (response.status === 200) return 0;
  if (response.status !== 206 || from === 0) return null;
  const match = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "");
  return match !== null && Number(match[1]) === from ? from : null;
}

/** Whether trying again can't help: the origin has spoken, and not about a broken connection. */
function isFinal(cause: unknown): boolean {
  if (cause instanceof OriginUnreachable) return false;
  if (!(cause instanceof ImageBodyError)) return false;
  if (cause.problem.reason === "refused") return cause.problem.response.status < 500;
  return cause.problem.reason === "encoded" || cause.problem.reason === "dear";
}
