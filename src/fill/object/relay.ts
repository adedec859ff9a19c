/** The origin's own answer to a fill, kept small enough to be told to all of its readers. */
import { responseHeadersFor } from "../../http/headers.ts";
import { unlessAborted, withDeadline } from "../../lib/deadline.ts";
import type { Relay } from "../protocol.ts";

/** Glance's errors have some hundred bytes. */
const MAX_BODY = 64 * 1024;
/** One that begins and does not end must not keep the fill from its next try. */
const BODY_MS = 5_000;

/** Reads an answer that is not the data. Never throws: what can't be read before the signal is left out. */
export async function readRelay(response: Response, signal: AbortSignal): Promise<Relay> {
  const headers = responseHeadersFor(response.headers);
  // The body may have been cut, and is told in one piece.
  headers.delete("content-length");
  const { status, statusText } = response;
  return { status, statusText, headers: [...headers], body: await readSome(response.body, signal) };
}

async function readSome(
  body: ReadableStream<Uint8Array> | null,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  if (body === null) return new Uint8Array();
  const reader = body.getReader({ mode: "byob" });
  reader.closed.catch(() => undefined);
  try {
    const reading = reader.readAtLeast(MAX_BODY, new Uint8Array(MAX_BODY));
    const { value } = await withDeadline("the origin's refusal", BODY_MS, unlessAborted(signal, reading));
    // A copy: the rest of a large buffer would travel along.
    return value === undefined ? new Uint8Array() : new Uint8Array(value);
  } catch {
    return new Uint8Array();
  } finally {
    reader.cancel().catch(() => undefined);
  }
}
