/**
 * The floor of a hit that is stored in slices: a bare Worker that sends R2 objects of 8 MiB one after the other through
 * one FixedLengthStream, the next one opened ahead. The runtime has no cheaper way to make one body of several.
 * `PUT /?from=URL` cuts and stores what that URL answers, `GET /?size=BYTES` returns it.
 */

interface Env {
  readonly BUCKET: R2Bucket;
}

const SLICE_BYTES = 8 * 2 ** 20;

export default {
  async fetch(request, env, ctx): Promise<Response> {
    const query = new URL(request.url).searchParams;
    if (request.method === "PUT") {
      const token = request.headers.get("x-auth-token") ?? "";
      const source = await fetch(query.get("from") ?? "", { headers: { "x-auth-token": token } });
      if (source.status !== 200 || source.body === null) return new Response(null, { status: 502 });
      await store(env.BUCKET, source.body);
      return new Response(null, { status: 201 });
    }
    const size = Number(query.get("size"));
    const { readable, writable } = new FixedLengthStream(size);
    ctx.waitUntil(send(env.BUCKET, size, writable));
    return new Response(readable);
  },
} satisfies ExportedHandler<Env>;

async function store(bucket: R2Bucket, source: ReadableStream): Promise<void> {
  const reader = source.getReader({ mode: "byob" });
  for (let slice = 0; ; slice++) {
    const { value, done } = await reader.readAtLeast(SLICE_BYTES, new Uint8Array(SLICE_BYTES));
    if (value !== undefined && value.byteLength > 0) await bucket.put(String(slice), value);
    if (done || value === undefined || value.byteLength < SLICE_BYTES) return;
  }
}

async function send(bucket: R2Bucket, size: number, writable: WritableStream): Promise<void> {
  const slices = Math.ceil(size / SLICE_BYTES);
  let opening = bucket.get("0");
  for (let slice = 0; slice < slices; slice++) {
    const object = await opening;
    if (object === null) throw new Error("a slice is missing");
    if (slice + 1 < slices) opening = bucket.get(String(slice + 1));
    await object.body.pipeTo(writable, { preventClose: true });
  }
  await writable.close();
}
