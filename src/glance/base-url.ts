/**
 * Base URLs: where the origin is, what the edge calls itself, and the change from one to the other in what Glance says
 * of itself (Location, version links). Without it clients would walk around the edge after the first answer.
 */

/**
 * The edge's base URL as this client sees it, without a trailing slash. Without PUBLIC_URL it is made from what the client
 * says (its Host field), so it may stand in the answer to that same client, and in nothing else.
 */
export function edgeBaseUrl(request: Request, publicUrl: string | null): string {
  return publicUrl ?? new URL(request.url).origin;
}

/**
 * The request's path and query as the origin is to see them, undecoded. A PUBLIC_URL with a path means that the edge
 * is mounted below that path, which is then taken off.
 */
export function pathForOrigin(request: Request, publicUrl: string | null): string {
  const url = new URL(request.url);
  const mount = publicUrl === null ? "" : pathOf(publicUrl);
  return (withoutPrefix(url.pathname, mount) || "/") + url.search;
}

/** Where a URL stands that is to be named as the edge's. */
export interface Naming {
  /** The origin's base URL, without a trailing slash. */
  readonly origin: string;
  /** What the origin was asked: a relative URL in its answer starts there (RFC 9110 section 10.2.2). */
  readonly asked: string;
  /** The edge's base URL, without a trailing slash. */
  readonly edge: string;
}

/**
 * Puts the edge's base where a URL, absolute or relative, names the origin's, as a reverse proxy does (compare Apache's
 * ProxyPassReverse). Glance builds such URLs from the Host header, so only host and path are compared: the scheme may be
 * that of a hop behind a TLS terminator, and the path prefix may be missing where what is left can only be Glance's. What else
 * the origin's host has is no matter of the edge: it is named absolutely, and any other URL stays as it is.
 */
export function nameAsEdges(value: string, { origin, asked, edge }: Naming): string {
  // Empty: what was asked, to whoever reads it.
  if (value === "" || !URL.canParse(value, asked)) return value;
  const url = new URL(value, asked);
  const base = new URL(origin);
  if (url.host !== base.host || (url.protocol !== "http:" && url.protocol !== "https:")) return value;
  const rest = restOf(value, url);
  const prefix = pathOf(origin);
  if (prefix !== "" && !isBelow(rest, prefix) && !GLANCES.test(rest)) return url.origin + rest;
  return edge + withoutPrefix(rest, prefix);
}

/**
 * What follows the host, letter by letter as the origin wrote it where that says the same as the parsed URL: bytes beyond
 * ASCII stay, which the parser would encode.
 */
function restOf(value: string, url: URL): string {
  const parsed = url.pathname + url.search + url.hash;
  const written = value.replace(/^(?:https?:)?\/\/[^/?#]*/i, "");
  const encoded = written.isWellFormed() ? written.replace(/[^\0-\x7f]+/g, encodeURIComponent) : null;
  return encoded === parsed ? written : parsed;
}

function pathOf(base: string): string {
  return new URL(base).pathname.replace(/\/+$/, "");
}

/** Paths of Glance itself, whatever stands in front of them: its root, its versions, and what is below one. */
const GLANCES = /^\/*((versions|v[12](\.\d+)?)([/?#]|$)|[?#]|$)/;

/** What stands before the query. */
export function pathOnly(pathAndQuery: string): string {
  return pathAndQuery.split("?", 1)[0] ?? pathAndQuery;
}

/** @param path may have a query and a fragment behind it */
function withoutPrefix(path: string, prefix: string): string {
  return isBelow(path, prefix) ? path.slice(prefix.length) : path;
}

function isBelow(path: string, prefix: string): boolean {
  const next = path.charAt(prefix.length);
  return prefix !== "" && path.startsWith(prefix) && (next === "" || "/?#".includes(next));
}
