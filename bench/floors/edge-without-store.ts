/**
 * The edge as it is, but for a store that takes no time and no memory: it says yes to every put at once and keeps nothing but
 * the length, and what is read from it are other bytes, as many. It shows what a first download costs in the edge's own code,
 * the fill included, without the local R2 simulator, which takes far more CPU for a put than the download itself.
 */

import edge, { Fill as EdgeFill } from "../../src/index.ts";
import type { Env } from "../../src/settings.ts";

/** Bytes of each slice. The Worker and its Durable Objects are one isolate here. */
const slices = new Map<string, number>();
/** As large as a slice can be; its parts are streamed by the runtime itself, without a copy. */
const bytes = new Blob([new Uint8Array(16 * 2 ** 20)]);

export class Fill extends EdgeFill {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, withoutStore(env));
  }
}

export default {
  fetch: (request, env, ctx) => edge.fetch(request, withoutStore(env), ctx),
} satisfies ExportedHandler<Env>;

function withoutStore(env: Env): Env {
  const calls: Readonly<Record<string, unknown>> = { put, get, head, list, delete: remove };
  const bucket = new Proxy(env.BUCKET, {
    get: (_, name) => {
      const call = calls[String(name)];
      if (call === undefined) throw new Error(`the store for free has no ${String(name)}`);
      return call;
    },
  });
  return { ...env, BUCKET: bucket };
}

async function put(key: string, value: Uint8Array | ReadableStream): Promise<object> {
  // The commit, of an image that is about to be deleted: drained, and forgotten.
  if (value instanceof ReadableStream) await value.pipeTo(new WritableStream());
  else slices.set(key, value.byteLength);
  return {};
}

async function get(key: string, { range }: { range?: R2Range }): Promise<object | null> {
  const size = slices.get(key);
  if (size === undefined) return null;
  if (range !== undefined) throw new Error("the store for free has no ranges");
  return { size, body: bytes.slice(0, size).stream() };
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
