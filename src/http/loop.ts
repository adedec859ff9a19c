/**
 * Requests that come back: an ORIGIN_URL that leads to the edge itself, directly or through others, would have it ask itself
 * without an end. Each request to the origin therefore carries the edge's own entry, and one that arrives with it has been
 * here before.
 *
 * The entry stands in two fields. `Via` is HTTP's own (RFC 9110 section 7.6.3). `CDN-Loop` is what CDNs never take off (RFC
 * 8586 section 2); Cloudflare writes an entry of its own into it, and its pages do not say what becomes of a Worker's.
 */

/** Settings that tell one edge from another. */
export interface EdgeAddress {
  /** Base URL of Glance, without a trailing slash. */
  readonly origin: string;
  readonly publicUrl: string | null;
}

/**
 * The name by which an edge knows itself. Edges may stand in a chain, a site's before a region's: what sets them apart is
 * where they send to and where they are, so that is what the name is made of. By the first alone, two of them with one name for
 * their origin, which each finds somewhere else, would be a circle.
 */
export function edgeName({ origin, publicUrl }: EdgeAddress): string {
  return `glance-edge-${hash(publicUrl === null ? origin : `${origin} ${publicUrl}`)}`;
}

/** Whether a request has passed the edge of this name before. */
export function hasPassed(headers: Headers, name: string): boolean {
  return viaNames(headers.get("via") ?? "").includes(name) || loopNames(headers.get("cdn-loop") ?? "").includes(name);
}

/** Puts the edge's entry behind those that a request has already. */
export function markPassed(headers: Headers, name: string): void {
  // The version is that in which the request was received. A Worker is not told it (Cloudflare speaks HTTP/2 and 3 to clients),
  // and nobody decides anything by it.
  headers.append("via", `1.1 ${name}`);
  headers.append("cdn-loop", name);
}

/** `1.1 name (comment), HTTP/2 name:port`: who received, in lower case. */
function viaNames(value: string): string[] {
  return value
    .replace(/\([^()]*\)/g, "")
    .split(",")
    .map(
      (entry) =>
        entry
          .trim()
          .split(/[ \t]+/)[1]
          ?.toLowerCase() ?? "",
    );
}

/** `name; parameter=value, name`: the names, in lower case. */
function loopNames(value: string): string[] {
  return value.split(",").map((entry) => (entry.split(";", 1)[0] ?? "").trim().toLowerCase());
}

/** FNV-1a with 64 bits (www.isthe.com/chongo/tech/comp/fnv), hex: a short name, no secret. */
function hash(text: string): string {
  let sum = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) sum = BigInt.asUintN(64, (sum ^ BigInt(byte)) * 0x100000001b3n);
  return sum.toString(16).padStart(16, "0");
}
