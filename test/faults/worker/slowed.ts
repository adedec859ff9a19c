/** An answer as a slow line takes it from the edge: a piece, a pause. The sockets of this machine would take all of a small image at once. */

const PIECE_BYTES = 16 * 2 ** 10;

/** @param ms of the pause behind each piece */
export function slowed(response: Response, ms: number, ctx: ExecutionContext): Response {
  const length = Number(response.headers.get("content-length"));
  if (response.body === null || !(length > 0)) return response;
  const { readable, writable } = new FixedLengthStream(length);
  ctx.waitUntil(pump(response.body, writable, ms));
  return new Response(readable, response);
}

async function pump(body: ReadableStream<Uint8Array>, writable: WritableStream<Uint8Array>, ms: number): Promise<void> {
  const reader = body.getReader({ mode: "byob" });
  reader.closed.catch(() => undefined);
  const writer = writable.getWriter();
  writer.closed.catch(() => undefined);
  try {
    for (;;) {
      const { value, done } = await reader.read(new Uint8Array(PIECE_BYTES));
      if (done) break;
      await writer.write(value);
      await scheduler.wait(ms);
    }
    await writer.close();
  } catch (cause) {
    await writer.abort(cause).catch(() => undefined);
    await reader.cancel(cause).catch(() => undefined);
  }
}
