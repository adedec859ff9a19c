/**
 * A Worker that plays the Glance of a trial: three images of the same made content, their records, and the refused range by
 * which an edge asks for a right. It empties the trial's bucket as well, which nothing else can do without an S3 key.
 */
import { fillVirtualBytes } from "../../../demo/content/virtual-bytes.ts";
import { SEED, SLOW_IMAGE } from "../images.ts";

interface Env {
  /** The one token that is good here. */
  readonly TOKEN: string;
  readonly SIZE: string;
  readonly SHA512: string;
  /** How long the slow image takes. */
  readonly SLOW_SECONDS: string;
  readonly BUCKET?: R2Bucket;
}

const PIECE_BYTES = 2 ** 20;
const SLOW_PIECE_BYTES = 128 * 2 ** 10;

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/versions") return Response.json({ versions: [{ id: "v2.15", status: "CURRENT", links: [] }] });
    if (request.headers.get("x-auth-token") !== env.TOKEN)
      return Response.json({ error: "no such token" }, { status: 401 });
    if (pathname === "/trial/empty" && request.method === "POST")
      return Response.json({ removed: await empty(env.BUCKET) });
    const [, id = "", file] = /^\/v2\/images\/([0-9a-f-]{36})(\/file)?$/.exec(pathname) ?? [];
    if (id === "") return Response.json({ error: "nothing is here" }, { status: 404 });
    const size = Number(env.SIZE);
    if (file === undefined) return Response.json(record(id, size, env.SHA512));
    return image(request.headers.get("range"), size, id === SLOW_IMAGE ? Number(env.SLOW_SECONDS) : 0);
  },
};

function record(id: string, size: number, sha512: string) {
  return {
    ...{ id, name: "trial", status: "active", visibility: "public", owner: "trial", size, checksum: null },
    ...{ os_hash_algo: "sha512", os_hash_value: sha512, disk_format: "raw", container_format: "bare" },
    ...{ file: `/v2/images/${id}/file`, schema: "/v2/schemas/image" },
  };
}

function image(range: string | null, size: number, slowSeconds: number): Response {
  const start = range === null ? 0 : Number(/^bytes=(\d+)-/.exec(range)?.[1] ?? 0);
  if (start >= size) {
    // Glance's own words (glance/common/wsgi.py): the edge takes no other 416 for a yes.
    const message = `Invalid start position in Range header. Start position MUST be in the inclusive range [0, ${size - 1}].`;
    return Response.json({ message, code: "416 Requested Range Not Satisfiable" }, { status: 416 });
  }
  const end = range === null ? size : Math.min(size, Number(/-(\d+)$/.exec(range)?.[1] ?? size - 1) + 1);
  const headers = new Headers({ "content-type": "application/octet-stream" });
  if (range !== null) headers.set("content-range", `bytes ${start}-${end - 1}/${size}`);
  const { readable, writable } = new FixedLengthStream(end - start);
  // A client that left ends it.
  void write(writable, start, end, (slowSeconds * 1000) / size).catch(() => undefined);
  return new Response(readable, { status: range === null ? 200 : 206, headers });
}

async function write(to: WritableStream<Uint8Array>, start: number, end: number, msPerByte: number): Promise<void> {
  const writer = to.getWriter();
  const most = msPerByte === 0 ? PIECE_BYTES : SLOW_PIECE_BYTES;
  for (let at = start; at < end; at += most) {
    const piece = new Uint8Array(Math.min(most, end - at));
    fillVirtualBytes(piece, SEED, at);
    if (msPerByte > 0) await scheduler.wait(piece.length * msPerByte);
    await writer.write(piece);
  }
  await writer.close();
}

/** R2 lists and deletes a thousand at a time. */
async function empty(bucket: R2Bucket | undefined): Promise<number> {
  let removed = 0;
  while (bucket !== undefined) {
    const { objects } = await bucket.list();
    if (objects.length === 0) break;
    await bucket.delete(objects.map(({ key }) => key));
    removed += objects.length;
  }
  return removed;
}
