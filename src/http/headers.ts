/**
 * Which headers may cross the edge; the one place where a header's name is judged. A proxy must not pass on what concerns
 * one connection only (RFC 9110 section 7.6.1), nor what a Glance behind it could take for the word of a trusted proxy
 * or of its own auth middleware, nor any name that a server behind it may read as another one.
 */
import { USER_AGENT } from "./user-agent.ts";

/**
 * The names that go to the origin at all, as nginx has it by default (`ignore_invalid_headers on`, `underscores_in_headers
 * off`). To a WSGI server `Transfer_Encoding` and `Transfer-Encoding` are one variable, HTTP_TRANSFER_ENCODING (PEP 3333;
 * eventlet/wsgi.py `get_environ`), and eventlet frames the body by it: the rest of such a body is the next request of a
 * connection that others share.
 */
const PLAIN_NAME = /^[a-z0-9-]+$/;

/** Fields of one hop. */
const HOP_BY_HOP = new Set([
  // RFC 9110 section 7.6.1.
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  // Section 10.1.1: the edge has done that handshake itself.
  "expect",
  // RFC 7540 section 3.2.1: part of an Upgrade to h2c.
  "http2-settings",
]);
/** RFC 6455 section 11.3: parts of an Upgrade to a WebSocket, which the edge never makes. */
const HOP_BY_HOP_PREFIX = "sec-websocket-";

/** How long a message is and whom it is for: the runtime writes both itself, for the request that it makes. */
const FRAMING = new Set(["content-length", "host"]);

/** Words about the client that only a proxy may say; whoever else says them lies. */
const PROXY_CLAIMS = new Set([
  // RFC 9440 section 4: the certificate that a TLS terminator has checked.
  "client-cert",
  "client-cert-chain",
  "forwarded",
  // HTTP_PROXY, which programs that a CGI server starts take for their own proxy (CVE-2016-5385 and its kin).
  "proxy",
  "true-client-ip",
  "x-client-ip",
  "x-cluster-client-ip",
  "x-forwarded",
  "x-host",
  "x-http-method",
  "x-http-method-override",
  "x-method-override",
  "x-original-host",
  "x-original-url",
  "x-real-ip",
  "x-rewrite-url",
  // The list ends with the names that common servers, frameworks and clouds read: client, host, path and method. A name that
  // only one product knows (Fastly-Client-IP, X-Azure-ClientIP, X-Envoy-External-Address) is for whoever runs it before the
  // origin to take off. Glance reads none of them but X-Forwarded-* (oslo.middleware's http_proxy_to_wsgi) and Forwarded.
]);

/**
 * The identity that keystonemiddleware's auth_token sets for the service behind it. It removes them from a request
 * itself (`auth_token/_request.py`), but a Glance without auth_token in its pipeline would believe them.
 */
const IDENTITY_CLAIMS = new Set([
  "openstack-system-scope",
  "x-identity-status",
  "x-is-admin-project",
  "x-role",
  "x-roles",
  "x-service-catalog",
  "x-service-identity-status",
  "x-service-role",
  "x-service-roles",
  "x-tenant",
  "x-user",
]);
/** Of both kinds. */
const CLAIM_PREFIXES = [
  "cf-",
  "x-forwarded-",
  "x-domain-",
  "x-project-",
  "x-tenant-",
  "x-user-",
  "x-service-domain-",
  "x-service-project-",
  "x-service-user-",
];

/**
 * By what an origin may tell callers apart. Whoever sends the same ones is the same caller to it. One that it lets in by
 * anything else is refused when the edge asks, so that the cache keeps out of it; one that it keeps out by anything else
 * (User-Agent, Referer) is not noticed: README, Limits.
 */
const IDENTITY = new Set([
  // A proxy before Glance with accounts of its own (Apache's mod_auth_*); Keystone's OAuth 2.0 access tokens
  // (keystonemiddleware/external_oauth2_token.py).
  "authorization",
  // Such a proxy with sessions (mod_auth_openidc, mod_session).
  "cookie",
  // What Glance's own auth middleware reads of a request (keystonemiddleware/auth_token/_request.py): the user's token …
  "x-auth-token",
  // … that of a service that asks on the user's behalf, with which the user's may have expired …
  "x-service-token",
  // … and X-Auth-Token's old name.
  "x-storage-token",
]);

/** By what requests are found again in logs and traces. They name no caller, and are new with every request. */
const TRACING = new Set([
  // www.w3.org/TR/trace-context
  "traceparent",
  "tracestate",
  // glance/api/middleware/context.py
  "x-openstack-request-id",
  // osprofiler/web.py
  "x-trace-hmac",
  "x-trace-info",
]);

/** The page that a browser asks for: what it may read, the origin says on each of its answers (CORS, fetch.spec.whatwg.org). */
const PAGE = new Set(["origin"]);

/**
 * Which way a request has come (RFC 9110 section 7.6.3, RFC 8586): without it a circle of edges would not be one to any of
 * them. No Connection field takes them off, by which a client could hide it.
 */
const WAY = new Set(["cdn-loop", "via"]);

/** The one form in which names are compared: what a WSGI server takes for the same name is the same here. */
function normalised(name: string): string {
  return name
    .trim()
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, "-");
}

/**
 * What goes to the origin of a client's request headers. They are copied and taken from: a value that JavaScript has read
 * may not be written with the same bytes.
 */
export function requestHeadersFor(client: Headers): Headers {
  const named = connectionFields(client);
  const headers = new Headers(client);
  for (const name of client.keys()) {
    const plain = normalised(name);
    const dropped = !PLAIN_NAME.test(name) || isOfOneHop(plain, named) || FRAMING.has(plain) || isClaim(plain);
    if (dropped) headers.delete(name);
  }
  joinCookies(headers);
  return headers;
}

/**
 * The caller's own headers for a question that the edge asks as the caller: identity, tracing and the way it has come, and
 * nothing else that a client may say.
 */
export function callerHeaders(client: Headers): Headers {
  const headers = requestHeadersFor(client);
  for (const name of [...headers.keys()]) {
    if (!IDENTITY.has(name) && !TRACING.has(name) && !WAY.has(name) && !PAGE.has(name)) headers.delete(name);
  }
  headers.set("user-agent", USER_AGENT);
  return headers;
}

/**
 * What a caller lends for questions that are asked later, elsewhere: as {@link callerHeaders}, but for values with anything
 * beside printable ASCII. JavaScript reads all such bytes alike and would write others, so that a Fill would ask with what
 * nobody has said.
 */
export function lentHeaders(client: Headers): [string, string][] {
  return [...callerHeaders(client)].filter(([, value]) => isPrintable(value));
}

/** Whether a field's value, read by JavaScript, is written with the same bytes again. */
export function isPrintable(value: string): boolean {
  return /^[\t -~]*$/.test(value);
}

/** Who the caller is to the origin: of what {@link callerHeaders} sends, all by which callers are told apart. */
export function callerIdentity(client: Headers): [string, string][] {
  return [...callerHeaders(client)].filter(([name]) => IDENTITY.has(name));
}

/** What goes to the client of an origin's answer. Repeated fields such as Set-Cookie stay apart. */
export function responseHeadersFor(origin: Headers): Headers {
  const named = connectionFields(origin);
  const headers = new Headers(origin);
  for (const name of origin.keys()) if (isOfOneHop(normalised(name), named)) headers.delete(name);
  return headers;
}

function isOfOneHop(name: string, named: ReadonlySet<string>): boolean {
  return HOP_BY_HOP.has(name) || name.startsWith(HOP_BY_HOP_PREFIX) || named.has(name);
}

function isClaim(name: string): boolean {
  if (PROXY_CLAIMS.has(name) || IDENTITY_CLAIMS.has(name)) return true;
  return CLAIM_PREFIXES.some((prefix) => name.startsWith(prefix));
}

/** The field names that a Connection header makes hop-by-hop, normalised; never those that tell the way. */
function connectionFields(headers: Headers): Set<string> {
  const value = headers.get("connection") ?? "";
  return new Set(
    value
      .split(",")
      .map(normalised)
      .filter((name) => name !== "" && !WAY.has(name)),
  );
}

/** How a Cookie field begins (RFC 6265 section 4.2.1). */
const COOKIE_START = /^[!#$%&'*+.^_`|~\w-]+=/;

/**
 * Cookie fields become one, by "; " (RFC 9113 section 8.2.3), since the comma of other lists separates no cookies. Headers has
 * joined them by ", ". A cookie itself has none (RFC 6265 section 4.1.1, cookie-octet), but in practice some do: where what
 * follows one does not begin as a field does, it is taken for a part of a single field, and all stay as they are.
 */
function joinCookies(headers: Headers): void {
  const fields = headers.get("cookie")?.split(", ") ?? [];
  if (fields.length > 1 && fields.every((field) => COOKIE_START.test(field))) headers.set("cookie", fields.join("; "));
}
