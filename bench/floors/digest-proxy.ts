/**
 * The floor of a first download: a bare Worker that reads the origin in BYOB reads of 1 MiB and gives each to one
 * DigestStream (SHA-512) and one FixedLengthStream. Nothing that checks a digest on the way can be cheaper in this
 * runtime. `GET /?from=URL&size=BYTES&sha512=HEX`
 */

const READ_BYTES = 2 ** 20;

export default {
  async fetch(request, _env, ctx): Promise<Response> {
    const query = new URL(request.url).searchParams;
    const size = Number(query.get("size"));
    const source = await fetch(query.get("from") ?? "", {
      headers: { "x-auth-token": request.headers.get("x-auth-token") ?? "", "accept-encoding": "identity" },
    });
    if (source.status !== 200 || source.body === null) return new Response(null, { status: 502 });
    const { readable, writable } = new FixedLengthStream(size);
    ctx.waitUntil(send(source.body, size, query.get("sha512") ?? "", writable));
    return new Response(readable);
  },
} satisfies ExportedHandler;

async function send(source: ReadableStream, size: number, sha512: string, writable: WritableStream): Promise<void> {
  const reader = source.getReader({ mode: "byob" });
  const client = writable.getWriter();
  const digest = new crypto.DigestStream("SHA-512");
  const digester = digest.getWriter();
  let buffer = new ArrayBuffer(READ_BYTES);
  for (let at = 0; at < size; ) {
    const wanted = Math.min(READ_BYTES, size - at);
    const { value } = await reader.readAtLeast(wanted, new Uint8Array(buffer, 0, wanted));
    if (value === undefined || value.byteLength === 0) break;
    at += value.byteLength;
    await Promise.all([client.write(value), digester.write(value)]);
    if (value.buffer instanceof ArrayBuffer) buffer = value.buffer;
  }
  await digester.close();
  const hex = Array.from(new Uint8Array(await digest.digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (hex === sha512) await client.close();
  else await client.abort(new Error("the digest does not match"));
}
