/**
 * The text of somebody else's answer. What answers there may be anything: a file without an end, or a connection on which
 * nothing comes any more. An isolate has 128 MB for all its requests (Workers limits page), so nothing is read without a
 * bound on its bytes and its time.
 */
import { withDeadline } from "../lib/deadline.ts";

export class AnswerTooLarge extends Error {
  override readonly name = "AnswerTooLarge";
}

/**
 * Reads an answer whole; the rest of one that is too large or too slow is cancelled.
 * @param what is read, for the error
 * @param maxBytes that it may have
 * @param ms that it may take from now on
 * @throws AnswerTooLarge, DeadlineExceeded, whatever a connection that breaks throws
 */
export async function readText(response: Response, what: string, maxBytes: number, ms: number): Promise<string> {
  if (response.body === null) return "";
  const reader = response.body.getReader();
  try {
    if (Number(response.headers.get("content-length") ?? 0) > maxBytes) throw tooLarge(what, maxBytes);
    return await withDeadline(what, ms, readAll(reader, what, maxBytes));
  } catch (cause) {
    // A body that broke can't be cancelled once more; there is nothing to tell anybody.
    reader.cancel().catch(() => undefined);
    throw cause;
  }
}

async function readAll(reader: ReadableStreamDefaultReader<Uint8Array>, what: string, max: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.byteLength;
    if (bytes > max) throw tooLarge(what, max);
    text += decoder.decode(value, { stream: true });
  }
}

function tooLarge(what: string, maxBytes: number): AnswerTooLarge {
  return new AnswerTooLarge(`${what} has more than ${maxBytes} bytes`);
}
