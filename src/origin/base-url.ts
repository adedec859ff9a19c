/**
 * Base URLs: where the origin is, what the edge calls itself, and the change from one to the other in what Glance says
 * of itself (Location, version links). Without it clients would walk around the edge after the first answer.
 */

/** The edge's base URL as this client sees it, without a trailing slash. */
export function edgeBaseUrl(request: Request, publicUrl: string | null): string {
  return publicUrl ?? new URL(request.url).origin;
}

/**
 * The request's path and query as the origin is to see them, undecoded. A PUBLIC_URL with a path means that the edge
 * is mounted below that path, which is then taken off.
 */
export function pathForOrigin(request: Request, publicUrl: string | null): string {
  const url = new URL(request.url);
  const mount = publicUrl === null ? "" : new URL(publicUrl).pathname.replace(/\/+$/, "");
  const path = mount !== "" && isBelow(url.pathname, mount) ? url.pathname.slice(mount.length) || "/" : url.pathname;
  return path + url.search;
}

/**
 * Puts the edge's base where a URL names the origin's, as a reverse proxy does (compare Apache's ProxyPassReverse).
 * Glance builds such URLs from the Host header, so only host and path are compared: the scheme may be that of a hop
 * behind a TLS terminator, and the path prefix may be missing. Any other URL stays as it is.
 */
export function rewriteToEdge(value: string, origin: string, edge: string): string {
  if (!URL.canParse(value)) return value;
  const url = new URL(value);
  const base = new URL(origin);
  if (url.host !== base.host) return value;
  const prefix = base.pathname.replace(/\/+$/, "");
  const path = prefix !== "" && isBelow(url.pathname, prefix) ? url.pathname.slice(prefix.length) : url.pathname;
  return edge + path + url.search + url.hash;
}

function isBelow(path: string, prefix: string): boolean {
  return path === prefix || path.startsWith(`${prefix}/`);
}
