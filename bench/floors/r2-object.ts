/**
 * The floor of a hit: a bare Worker that returns the body of one R2 object. No edge that answers from R2 can be cheaper
 * in this runtime. `PUT /?from=URL` stores what that URL answers; `GET /?ask=URL` asks that one question beside the get, and
 * answers when both are there.
 */

interface Env {
  readonly BUCKET: R2Bucket;
}

const KEY = "object";

export default {
  async fetch(request, env): Promise<Response> {
    const query = new URL(request.url).searchParams;
    const [from, ask] = [query.get("from"), query.get("ask")];
    const headers = { "x-auth-token": request.headers.get("x-auth-token") ?? "" };
    if (request.method === "PUT") {
      const source = await fetch(from ?? "", { headers });
      if (source.status !== 200) return new Response(null, { status: 502 });
      await env.BUCKET.put(KEY, source.body);
      return new Response(null, { status: 201 });
    }
    const [object] = await Promise.all([
      env.BUCKET.get(KEY),
      ask === null ? null : fetch(ask, { headers }).then((response) => response.arrayBuffer()),
    ]);
    return object === null ? new Response(null, { status: 404 }) : new Response(object.body);
  },
} satisfies ExportedHandler<Env>;
