/**
 * A download that the cache can't help with now: from the origin through a digest gate of its own, under the caller's rights.
 * How many of them run at a time in this isolate ALONE_MAX bounds.
 */
import type { Digester } from "../digest/digester.ts";
import { DigestGate } from "../digest/gate.ts";
import { ImageBody, ImageBodyError, type ImageSource } from "../origin/image-body.ts";
import type { ImageHead } from "./decide.ts";
import { copy } from "./sending.ts";

/** Counts the downloads of one isolate that go alone. */
export class AloneCount {
  #running = 0;

  /** @param max 0: no bound @returns null beyond it; gives the place back */
  take(max: number): (() => void) | null {
    if (max > 0 && this.#running >= max) return null;
    this.#running++;
    return () => {
      this.#running--;
    };
  }
}

export type OpenedAlone =
  | { readonly kind: "open"; readonly body: ImageBody }
  /** The origin does not give the data: its own answer to the original request says why. */
  | { readonly kind: "refused" };

/** Opens the origin's data from its first byte. @throws OriginUnreachable, DeadlineExceeded */
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
  } finally {
    body.cancel();
  }
}
