/**
 * The floor of a hit: a bare Worker that returns the body of one R2 object. No edge that answers from R2 can be cheaper
 * in this runtime. `PUT /?from=URL` stores what that URL answers.
 */

interface Env {
  readonly BUCKET: R2Bucket;
}

const KEY = "object";

export default {
  async fetch(request, env): Promise<Response> {
    if (request.method === "PUT") {
      const from = new URL(request.url).searchParams.get("from") ?? "";
      const source = await fetch(from, { headers: { "x-auth-token": request.headers.get("x-auth-token") ?? "" } });
      if (source.status !== 200) return new Response(null, { status: 502 });
      await env.BUCKET.put(KEY, source.body);
      return new Response(null, { status: 201 });
    }
    const object = await env.BUCKET.get(KEY);
    return object === null ? new Response(null, { status: 404 }) : new Response(object.body);
  },
} satisfies ExportedHandler<Env>;
