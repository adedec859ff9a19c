/**
 * The floor of a download through a fill: a bare Durable Object that pulls the origin's body and stores it in the slices that
 * the edge would make of it, three puts under way, and bare Workers that send them on as they land, two opened ahead. No
 * rights, no record, no state that outlives the object. All requests carry `?name=NAME&from=URL&size=BYTES`: `PUT` stores and
 * answers when all is done, `GET` reads along and has the whole digested (SHA-512) on its way, `DELETE` removes.
 */
import { DurableObject } from "cloudflare:workers";

interface Env {
  readonly BUCKET: R2Bucket;
  readonly FILL: DurableObjectNamespace<Fill>;
}

interface Job {
  readonly name: string;
  readonly from: string;
  readonly token: string;
  readonly size: number;
  readonly digested: boolean;
}

const SLICE_BYTES = 8 * 2 ** 20;
/** The first slice's bytes come in so many pieces. */
const LEAD = 8;
const MAX_PUTS = 3;
const AHEAD = 2;

function sliceStart(slice: number): number {
  return slice < LEAD ? slice * (SLICE_BYTES / LEAD) : (slice - LEAD + 1) * SLICE_BYTES;
}

function sliceCount(size: number): number {
  let count = 0;
  while (sliceStart(count) < size) count++;
  return count;
}

export class Fill extends DurableObject<Env> {
  #pulling: Promise<void> | null = null;
  /** Slices 0 to stored - 1 are in R2. */
  #stored = 0;
  readonly #waiting = new Set<() => void>();

  /** Begins the pull, if nobody has. @returns slices that are stored, as soon as they are more than these */
  async storedBeyond(slices: number, job: Job): Promise<number> {
    this.#pulling ??= this.#pull(job);
    while (this.#stored <= slices) await Promise.race([this.#next(), this.#pulling]);
    return this.#stored;
  }

  #next(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    return promise;
  }

  async #pull({ name, from, token, size, digested }: Job): Promise<void> {
    const source = await fetch(from, { headers: { "x-auth-token": token, "accept-encoding": "identity" } });
    if (source.status !== 200 || source.body === null) throw new Error(`the origin answers ${source.status}`);
    const reader = source.body.getReader({ mode: "byob" });
    const digest = digested ? new crypto.DigestStream("SHA-512") : null;
    const digester = digest?.getWriter();
    const puts = new Set<Promise<void>>();
    const early = new Set<number>();
    for (let slice = 0; slice < sliceCount(size); slice++) {
      while (puts.size >= MAX_PUTS) await Promise.race(puts);
      const length = Math.min(sliceStart(slice + 1), size) - sliceStart(slice);
      const { value } = await reader.readAtLeast(length, new Uint8Array(length));
      if (value === undefined || value.byteLength < length) throw new Error("the origin's body ended early");
      await digester?.write(value);
      const put = this.env.BUCKET.put(`${name}/${slice}`, value).then(() => {
        puts.delete(put);
        early.add(slice);
        while (early.delete(this.#stored)) this.#stored++;
        for (const wake of this.#waiting) wake();
        this.#waiting.clear();
      });
      puts.add(put);
    }
    await digester?.close();
    await Promise.all([digest?.digest, ...puts]);
  }
}

export default {
  async fetch(request, env, ctx): Promise<Response> {
    const query = new URL(request.url).searchParams;
    const job = {
      name: query.get("name") ?? "",
      from: query.get("from") ?? "",
      token: request.headers.get("x-auth-token") ?? "",
      size: Number(query.get("size")),
      digested: request.method === "GET",
    };
    if (request.method === "PUT") {
      await fillOf(env, job).storedBeyond(sliceCount(job.size) - 1, job);
      return new Response(null, { status: 201 });
    }
    if (request.method === "DELETE") {
      await env.BUCKET.delete(Array.from({ length: sliceCount(job.size) }, (_, slice) => `${job.name}/${slice}`));
      return new Response(null, { status: 204 });
    }
    const { readable, writable } = new FixedLengthStream(job.size);
    ctx.waitUntil(send(env, job, writable));
    return new Response(readable);
  },
} satisfies ExportedHandler<Env>;

function fillOf(env: Env, { name }: Job): DurableObjectStub<Fill> {
  return env.FILL.get(env.FILL.idFromName(name));
}

async function send(env: Env, job: Job, writable: WritableStream): Promise<void> {
  const fill = fillOf(env, job);
  const opened: Promise<R2ObjectBody | null>[] = [];
  let stored = 0;
  let next = 0;
  for (let slice = 0; slice < sliceCount(job.size); slice++) {
    if (stored <= slice) stored = await fill.storedBeyond(slice, job);
    while (next < stored && opened.length <= AHEAD) opened.push(env.BUCKET.get(`${job.name}/${next++}`));
    const object = await opened.shift();
    if (object === undefined || object === null) throw new Error("a slice is missing");
    await object.body.pipeTo(writable, { preventClose: true });
  }
  await writable.close();
}
