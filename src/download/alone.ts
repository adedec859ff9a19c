/**
 * A download that the cache can't help with now: from the origin through a digest gate of its own, under the caller's rights.
 * How many of them run at a time in this isolate ALONE_MAX bounds. No Fill knows how they end, so what went wrong with one is
 * remembered here.
 */
import type { Digester } from "../digest/digester.ts";
import { DigestGate, DigestMismatch } from "../digest/gate.ts";
import { type ImageBody, ImageBodyError } from "../glance/image-body.ts";
import type { ImageHead } from "./decide.ts";
import { copy } from "./sending.ts";

/** As with a fill (docs/fills.md): parts of an image whose data was wrong are refused so long, or until it agreed … */
const LEFT_ALONE_MS = 24 * 3_600_000;
/** … and so long after that: a client may hold the first part of the wrong data. */
const AFTER_AGREED_MS = 10 * 60_000;
/** Some 100 bytes each. The oldest go first. */
const MAX_REMEMBERED = 4_096;

/** The origin may take two minutes to its first byte (glance/image-body.ts), ms. */
const IDLE_MS = 150_000;
/** Of one whose bytes are not counted, ms: so long may 70 GB take at 20 MB/s. */
const UNSEEN_MS = 3_600_000;

/**
 * The place of one download among those that go alone. One that moves nothing for long has it no more: it may have ended with
 * its invocation, of which nobody hears.
 */
class Place {
  /** When it last moved, ms since the epoch. */
  #at: number;
  #bytes = -1;
  readonly #moved: (() => number) | null;

  constructor(moved: (() => number) | null, now: number) {
    this.#moved = moved;
    this.#at = now;
  }

  isIdle(now: number): boolean {
    if (this.#moved === null) return now - this.#at >= UNSEEN_MS;
    const bytes = this.#moved();
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#at = now;
    }
    return now - this.#at >= IDLE_MS;
  }
}

/** What one isolate knows of the downloads that go alone. A mere memory, lost without notice. */
export class AloneDownloads {
  readonly #places = new Set<Place>();
  /** By image, until when its parts are refused, ms since the epoch. */
  readonly #rangesFrom = new Map<string, number>();

  /**
   * @param max 0: no bound
   * @param now ms since the epoch
   * @param moved bytes of this download so far; null: they go by uncounted
   * @param gone when its client leaves, its place is free
   * @returns null beyond the bound; gives the place back, safe to call again
   */
  take(max: number, now: number, moved: (() => number) | null, gone: AbortSignal): (() => void) | null {
    for (const place of this.#places) if (place.isIdle(now)) this.#places.delete(place);
    if (max > 0 && this.#places.size >= max) return null;
    const place = new Place(moved, now);
    this.#places.add(place);
    const giveBack = () => {
      this.#places.delete(place);
      gone.removeEventListener("abort", giveBack);
    };
    gone.addEventListener("abort", giveBack);
    return giveBack;
  }

  /** An image's data at the origin is not what its record says. @param now ms since the epoch */
  mismatched(imageId: string, now: number): void {
    this.#rangesFrom.delete(imageId);
    this.#rangesFrom.set(imageId, now + LEFT_ALONE_MS);
    const oldest = this.#rangesFrom.keys().next();
    if (this.#rangesFrom.size > MAX_REMEMBERED && oldest.done !== true) this.#rangesFrom.delete(oldest.value);
  }

  /** All of an image was seen to be right. @param now ms since the epoch */
  agreed(imageId: string, now: number): void {
    const until = this.#rangesFrom.get(imageId);
    if (until !== undefined) this.#rangesFrom.set(imageId, Math.min(until, now + AFTER_AGREED_MS));
  }

  /** Until when parts of an image are refused, ms since the epoch; 0: they are not. */
  rangesFrom(imageId: string): number {
    return this.#rangesFrom.get(imageId) ?? 0;
  }
}

/** Whether a download broke because the data is not the image. */
export function isMismatch(cause: unknown): boolean {
  return cause instanceof DigestMismatch || (cause instanceof ImageBodyError && cause.problem.reason === "long");
}

/**
 * Opens the origin's data at its first byte.
 * @returns "refused" when the origin does not give it: its own answer to the original request says why
 * @throws OriginUnreachable, BadOriginAnswer, DeadlineExceeded
 */
export async function openAlone(body: ImageBody): Promise<"open" | "refused"> {
  try {
    await body.open(0);
    return "open";
  } catch (cause) {
    if (!(cause instanceof ImageBodyError)) throw cause;
    if (cause.problem.reason === "refused") await cause.problem.response.body?.cancel();
    return "refused";
  }
}

/** The image through a gate. `passed` settles when all has gone through; it rejects with why it did not. */
export function gated(
  body: ImageBody,
  head: ImageHead,
): { readonly readable: ReadableStream<Uint8Array>; readonly passed: Promise<void> } {
  const gate = new DigestGate({ digest: head.digest, size: head.size });
  return { readable: gate.readable, passed: feed(body, gate, 0) };
}

/**
 * The rest of an image straight from the origin, behind what the client has already.
 * @param prefix has digested what the client has
 * @throws why it could not be sent; the writable is left as it is then
 */
export async function sendRest(
  body: ImageBody,
  head: ImageHead,
  prefix: Digester,
  writable: WritableStream<Uint8Array>,
): Promise<void> {
  const from = prefix.bytes;
  const gate = new DigestGate({ digest: head.digest, size: head.size, prefix });
  const feeding = feed(body, gate, from);
  await Promise.all([feeding, copy(gate.readable, writable)]);
}

async function feed(body: ImageBody, gate: DigestGate, from: number): Promise<void> {
  try {
    await body.sendTo(gate.writable, from);
    await gate.passed;
  } catch (cause) {
    // Where the gate broke it the origin's side only sees that somebody stopped reading.
    const why: unknown = await gate.passed.then(
      () => cause,
      (reason: unknown) => reason,
    );
    throw isMismatch(why) ? why : cause;
  } finally {
    body.cancel();
  }
}
