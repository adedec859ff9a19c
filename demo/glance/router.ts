/**
 * Which handler answers which request: Glance's order of middleware and routes (glance-api-paste.ini,
 * glance/api/v2/router.py).
 */
import type { Exchange } from "../http/exchange.ts";
import { headerOf, reply } from "../http/exchange.ts";
import { methodNotAllowed, notFound } from "../http/webob-error.ts";
import type { Identity } from "../keystone/tokens.ts";
import { authenticate } from "./access.ts";
import { setActive } from "./actions.ts";
import { refuseCache, refuseQueueing, refuseRemoval } from "./cache.ts";
import { download, upload } from "./data.ts";
import { create, list, remove, show } from "./images.ts";
import { addMember, listMembers, removeMember, showMember, updateMember } from "./members.ts";
import { asksForVersions, negotiate } from "./negotiation.ts";
import { update } from "./patch.ts";
import { imageSchema, memberSchema } from "./schemas.ts";
import { v1 } from "./v1.ts";
import { versions } from "./versions.ts";

type Handler = (exchange: Exchange, identity: Identity, ...parameters: string[]) => void | Promise<void>;

interface Route {
  readonly path: RegExp;
  /** In the order of Glance's Allow header. */
  readonly methods: Readonly<Record<string, Handler>>;
}

const IMAGE = "/v2/images/([^/]+)";

const ROUTES: readonly Route[] = [
  { path: /^\/v2\/images$/, methods: { GET: list, POST: create } },
  {
    path: new RegExp(`^${IMAGE}$`),
    methods: {
      GET: (exchange, identity, id = "") => show(exchange, identity, id),
      PATCH: (exchange, identity, id = "") => update(exchange, identity, id),
      DELETE: (exchange, identity, id = "") => remove(exchange, identity, id),
    },
  },
  {
    path: new RegExp(`^${IMAGE}/file$`),
    methods: {
      GET: (exchange, identity, id = "") => download(exchange, identity, id),
      PUT: (exchange, identity, id = "") => upload(exchange, identity, id),
    },
  },
  {
    path: new RegExp(`^${IMAGE}/actions/(deactivate|reactivate)$`),
    methods: {
      POST: (exchange, identity, id = "", action = "") => setActive(exchange, identity, id, action === "reactivate"),
    },
  },
  {
    path: new RegExp(`^${IMAGE}/members$`),
    methods: {
      GET: (exchange, identity, id = "") => listMembers(exchange, identity, id),
      POST: (exchange, identity, id = "") => addMember(exchange, identity, id),
    },
  },
  {
    path: new RegExp(`^${IMAGE}/members/([^/]+)$`),
    methods: {
      GET: (exchange, identity, id = "", member = "") => showMember(exchange, identity, id, member),
      PUT: (exchange, identity, id = "", member = "") => updateMember(exchange, identity, id, member),
      DELETE: (exchange, identity, id = "", member = "") => removeMember(exchange, identity, id, member),
    },
  },
  {
    path: /^\/v2\/cache$/,
    methods: {
      GET: (_, identity) => refuseCache(identity, "cache_list"),
      DELETE: (_, identity) => refuseCache(identity, "cache_delete"),
    },
  },
  {
    path: /^\/v2\/cache\/([^/]+)$/,
    methods: {
      DELETE: (exchange, identity, id = "") => refuseRemoval(exchange, identity, id),
      PUT: (exchange, identity, id = "") => refuseQueueing(exchange, identity, id),
    },
  },
  { path: /^\/v2\/schemas\/image$/, methods: { GET: imageSchema } },
  { path: /^\/v2\/schemas\/member$/, methods: { GET: memberSchema } },
];

/** @throws HttpError the refusal */
export async function glance(exchange: Exchange): Promise<void> {
  const { method, request, response } = exchange;
  // 1. The CORS filter answers OPTIONS, and the health check and the versions need no token either.
  if (method === "OPTIONS") return reply(exchange, 200, {}, "");
  if (exchange.path === "/healthcheck")
    return reply(exchange, 200, { "Content-Type": "text/plain; charset=UTF-8" }, "OK");
  if (asksForVersions(exchange.path)) return versions(exchange, 200);
  // 2. What names no version gets the choice.
  const path = negotiate(exchange.path, request.headers.accept);
  if (path === null) return versions(exchange, 300);
  // 3. Then the token, before any route is looked at.
  const identity = authenticate(exchange);
  // The caller's own is taken over (glance/api/middleware/context.py).
  const requestId = headerOf(request, "x-openstack-request-id") ?? crypto.randomUUID();
  response.setHeader("X-Openstack-Request-Id", requestId.startsWith("req-") ? requestId : `req-${requestId}`);
  if (path.startsWith("/v1")) return v1({ ...exchange, path }, identity);
  for (const route of ROUTES) {
    const match = route.path.exec(path);
    if (match === null) continue;
    const handler = Object.hasOwn(route.methods, method) ? route.methods[method] : undefined;
    if (handler === undefined) throw methodNotAllowed(method, Object.keys(route.methods).join(", "));
    return handler(exchange, identity, ...match.slice(1));
  }
  if (path === "/v2")
    return reply(exchange, 302, { "Content-Type": "text/plain; charset=utf8", Location: `${exchange.base}/v2/` }, "");
  throw notFound();
}
