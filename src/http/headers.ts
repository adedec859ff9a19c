/**
 * Which headers may cross the edge. A proxy must not pass on what concerns one connection only (RFC 9110 section
 * 7.6.1), nor what a Glance behind it could take for the word of a trusted proxy or of its own auth middleware.
 */

/** Fields of one hop, RFC 9110 section 7.6.1 and 10.1.1 (Expect: the edge has done that handshake itself). */
const HOP_BY_HOP = new Set([
  "connection",
  "expect",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Words about the client that only a proxy may say; whoever else says them lies. */
const PROXY_CLAIMS = new Set([
  "forwarded",
  "true-client-ip",
  "x-client-ip",
  "x-cluster-client-ip",
  "x-http-method-override",
  "x-original-url",
  "x-real-ip",
  "x-rewrite-url",
]);
const PROXY_CLAIM_PREFIXES = ["cf-", "x-forwarded-"];

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
const IDENTITY_CLAIM_PREFIXES = [
  "x-domain-",
  "x-project-",
  "x-tenant-",
  "x-user-",
  "x-service-domain-",
  "x-service-project-",
  "x-service-user-",
];

/** Fields that choose a part, a form or a condition of one answer: not for a question that the edge asks itself. */
const REPRESENTATION_FIELDS = [
  "accept",
  "accept-encoding",
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "range",
];

/** What goes to the origin of a client's request headers. */
export function requestHeadersFor(client: Headers): Headers {
  const named = connectionFields(client);
  const headers = new Headers();
  for (const [name, value] of client) {
    if (HOP_BY_HOP.has(name) || named.has(name)) continue;
    // To a WSGI server X_Roles and X-Roles are the same variable, HTTP_X_ROLES.
    const claim = name.replaceAll("_", "-");
    if (PROXY_CLAIMS.has(claim) || PROXY_CLAIM_PREFIXES.some((prefix) => claim.startsWith(prefix))) continue;
    if (IDENTITY_CLAIMS.has(claim) || IDENTITY_CLAIM_PREFIXES.some((prefix) => claim.startsWith(prefix))) continue;
    headers.append(name, value);
  }
  return headers;
}

/** The caller's own headers for a question that the edge asks as the caller: identity and tracing, no conditions. */
export function callerHeaders(client: Headers): Headers {
  const headers = requestHeadersFor(client);
  for (const name of REPRESENTATION_FIELDS) headers.delete(name);
  return headers;
}

/** What goes to the client of an origin's answer. Repeated fields such as Set-Cookie stay apart. */
export function responseHeadersFor(origin: Headers): Headers {
  const named = connectionFields(origin);
  const headers = new Headers(origin);
  for (const name of [...headers.keys()]) {
    if (HOP_BY_HOP.has(name) || named.has(name)) headers.delete(name);
  }
  return headers;
}

/** The field names that a Connection header makes hop-by-hop. */
function connectionFields(headers: Headers): Set<string> {
  const value = headers.get("connection") ?? "";
  return new Set(
    value
      .split(",")
      .map((name) => name.trim().toLowerCase())
      .filter((name) => name !== ""),
  );
}
