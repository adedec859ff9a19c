/**
 * The edge as it is, but for a store in memory that takes no time: slices are kept by reference and given back from there. It
 * shows what a first download costs in the edge's own code, the fill included, without the local R2 simulator, which takes
 * far more CPU for a put than the download itself. It holds what a download needs and no more: nothing is ever kept of it.
 */
import type { Env } from "../../src/config.ts";
import edge, { Fill as EdgeFill } from "../../src/index.ts";

/** The Worker and its Durable Objects are one isolate here. */
const slices = new Map<string, Uint8Array<ArrayBuffer>>();

export class Fill extends EdgeFill {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, inMemory(env));
  }
}

export default {
  fetch: (request, env, ctx) => edge.fetch(request, inMemory(env), ctx),
} satisfies ExportedHandler<Env>;

function inMemory(env: Env): Env {
  const calls: Readonly<Record<string, unknown>> = { put, get, head, list, delete: remove };
  const bucket = new Proxy(env.BUCKET, {
    get: (_, name) => {
      const call = calls[String(name)];
      if (call === undefined) throw new Error(`the store in memory has no ${String(name)}`);
      return call;
    },
  });
  return { ...env, BUCKET: bucket };
}

async function put(key: string, value: Uint8Array<ArrayBuffer> | ReadableStream): Promise<object> {
  // The commit, of an image that is about to be deleted: drained, and forgotten.
  if (value instanceof ReadableStream) await value.pipeTo(new WritableStream());
  else slices.set(key, value);
  return {};
}

async function get(key: string, { range }: { range?: { offset: number; length: number } }): Promise<object | null> {
  const bytes = slices.get(key);
  if (bytes === undefined) return null;
  if (range !== undefined) throw new Error("the store in memory has no ranges");
  return { size: bytes.byteLength, body: new Response(bytes).body };
}

/** No image is ever kept, and nobody looks at a slice's head. */
async function head(): Promise<null> {
  return null;
}

async function list({ prefix }: { prefix: string }): Promise<object> {
  const keys = [...slices.keys()].filter((key) => key.startsWith(prefix));
  return { objects: keys.map((key) => ({ key })), truncated: false };
}

async function remove(keys: string | string[]): Promise<void> {
  for (const key of [keys].flat()) slices.delete(key);
}
