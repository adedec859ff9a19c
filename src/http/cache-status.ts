/**
 * The Cache-Status field (RFC 9211): tells on every download whether the edge served it, and if not, why not.
 */

/** Why the edge did not serve a download from its store. One word each, explained in the README. */
export const DETAILS = [
  "deactivated",
  "digest-mismatch",
  "encoded",
  "fill-failed",
  "fill-stopped",
  "fill-unavailable",
  "fill-weaker",
  "left-alone",
  "no-digest",
  "no-room",
  "not-active",
  "not-selected",
  "only-if-cached",
  "range-not-stored",
  "range-refused",
  "record-refused",
  "right-refused",
  "size-unknown",
  "store-unavailable",
  "too-large",
] as const;

export type Detail = (typeof DETAILS)[number];

export type CacheOutcome =
  | { readonly kind: "hit" }
  /** Forwarded for this download alone. `stored`: its bytes are being stored on the way. */
  | { readonly kind: "miss"; readonly stored: boolean; readonly detail?: Detail }
  /** Shares the transfer of a fill that was running already (RFC 9211 section 2.6). */
  | { readonly kind: "collapsed" }
  /** Not a matter for the cache at all. */
  | { readonly kind: "bypass"; readonly detail: Detail };

const CACHE_NAME = "glance-edge";

/** The edge's member of the Cache-Status list. */
export function cacheStatus(outcome: CacheOutcome): string {
  switch (outcome.kind) {
    case "hit":
      return `${CACHE_NAME}; hit`;
    case "collapsed":
      return `${CACHE_NAME}; fwd=uri-miss; collapsed`;
    case "miss":
      return `${CACHE_NAME}; fwd=uri-miss${outcome.stored ? "; stored" : ""}${
        outcome.detail === undefined ? "" : `; detail=${outcome.detail}`
      }`;
    case "bypass":
      return `${CACHE_NAME}; fwd=bypass; detail=${outcome.detail}`;
  }
}

/** What a download was told by the edge: the last member is its own. Null: nothing. */
export function toldOutcome(
  headers: Headers,
): { readonly kind: CacheOutcome["kind"]; readonly detail: string | null } | null {
  const field = headers.get("cache-status") ?? "";
  const own = new RegExp(`.*(?:^|, )${CACHE_NAME}; (hit|fwd=uri-miss|fwd=bypass)((?:; [^,]*)?)$`).exec(field);
  if (own === null) return null;
  const [, what, parameters = ""] = own;
  const detail = /; detail=([a-z-]+)/.exec(parameters)?.[1] ?? null;
  if (what === "hit") return { kind: "hit", detail };
  if (what === "fwd=bypass") return { kind: "bypass", detail };
  return { kind: parameters.includes("; collapsed") ? "collapsed" : "miss", detail };
}

/** Adds the edge's member behind those of caches nearer to the origin (RFC 9211 section 2). */
export function addCacheStatus(headers: Headers, outcome: CacheOutcome): void {
  headers.append("cache-status", cacheStatus(outcome));
}
