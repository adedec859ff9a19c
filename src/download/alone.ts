/**
 * A download that the cache can't help with now: from the origin through a digest gate of its own, under the caller's rights.
 * How many of them run at a time in this isolate ALONE_MAX bounds. No Fill knows how they end, so what went wrong with one is
 * remembered here.
 */
import type { Digester } from "../digest/digester.ts";
import { DigestGate, DigestMismatch } from "../digest/gate.ts";
import { ImageBody, ImageBodyError, type ImageSource } from "../glance/image-body.ts";
import type { ImageHead } from "./decide.ts";
import { copy } from "./sending.ts";

/** As with a fill (docs/fills.md): parts of an image whose data was wrong are refused so long, or until it agreed … */
const LEFT_ALONE_MS = 24 * 3_600_000;
/** … and so long after that: a client may hold the first part of the wrong data. */
const AFTER_AGREED_MS = 10 * 60_000;
/** Some 100 bytes each. The oldest go first. */
const MAX_REMEMBERED = 4_096;

/** What one isolate knows of the downloads that go alone. A mere memory, lost without notice. */
export class AloneDownloads {
  #running = 0;
  /** By image, until when its parts are refused, ms since the epoch. */
  readonly #rangesFrom = new Map<string, number>();

  /** @param max 0: no bound @returns null beyond it; gives the place back */
  take(max: number): (() => void) | null {
    if (max > 0 && this.#running >= max) return null;
    this.#running++;
    return () => {
      this.#running--;
    };
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

export type OpenedAlone =
  | { readonly kind: "open"; readonly body: ImageBody }
  /** The origin does not give the data: its own answer to the original request says why. */
  | { readonly kind: "refused" };

/** Opens the origin's data from its first byte. @throws OriginUnreachable, BadOriginAnswer, DeadlineExceeded */
export async function openAlone(source: ImageSource): Promise<OpenedAlone> {
  const body = new ImageBody(source);
  try {
    await body.open(0);
    return { kind: "open", body };
  } catch (cause) {
    if (!(cause instanceof ImageBodyError)) throw cause;
    if (cause.problem.reason === "refused") await cause.problem.response.body?.cancel();
    return { kind: "refused" };
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
  source: ImageSource,
  head: ImageHead,
  prefix: Digester,
  writable: WritableStream<Uint8Array>,
): Promise<void> {
  const from = prefix.bytes;
  const gate = new DigestGate({ digest: head.digest, size: head.size, prefix });
  const feeding = feed(new ImageBody(source), gate, from);
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
