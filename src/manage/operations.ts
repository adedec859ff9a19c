/**
 * Which requests are for the cache's management: Glance's own API (glance/api/v2/router.py), its legacy form
 * (glance/api/middleware/cache_manage.py), and the list of fills, which is the edge's own. Pure.
 */

/** The policy that Glance asks for an operation; its name is in the refusal. */
export type Policy =
  | "cache_list"
  | "cache_image"
  | "cache_delete"
  | "cache_clean"
  | "cache_prune"
  | "list_cached_nodes"
  | "manage_image_cache";

export type Operation =
  | { readonly do: "list" }
  | { readonly do: "list-fills" }
  | { readonly do: "queue"; readonly imageId: string }
  | { readonly do: "delete"; readonly imageId: string }
  | { readonly do: "clear" }
  | { readonly do: "clean" }
  | { readonly do: "prune" }
  | { readonly do: "nodes"; readonly imageId: string }
  | { readonly do: "legacy-cached"; readonly verb: LegacyVerb }
  | { readonly do: "legacy-queued"; readonly verb: LegacyVerb | { readonly do: "add"; readonly imageId: string } };

export type LegacyVerb =
  | { readonly do: "list" }
  | { readonly do: "delete-all" }
  | { readonly do: "delete"; readonly imageId: string };

export type Match =
  | { readonly kind: "operation"; readonly operation: Operation; readonly policy: Policy }
  /** `allow`: in Glance's own order. */
  | { readonly kind: "method-not-allowed"; readonly allow: string };

/** @param path undecoded, without a query. @returns null for what is no matter of the cache's management */
export function matchOperation(method: string, path: string): Match | null {
  // Glance answers OPTIONS everywhere alike.
  if (method === "OPTIONS") return null;
  const [root, version, collection, ...rest] = path.split("/");
  if (root !== "" || version !== "v2" || rest.length > 2 || rest.includes("")) return null;
  const decoded = rest.map(decode);
  // Glance splits the path after it has decoded it (WSGI): to it this is another, longer one.
  if (decoded.some((segment) => segment.includes("/"))) return null;
  const [first, second] = decoded;
  if (collection === "cache") return matchCache(method, first, second);
  if (second !== undefined) return null;
  const operation = matchLegacy(method, collection, first);
  return operation === null ? null : { kind: "operation", operation, policy: "manage_image_cache" };
}

function matchCache(method: string, first: string | undefined, second: string | undefined): Match | null {
  if (second !== undefined) {
    if (first !== "nodes") return null;
    if (method !== "GET") return { kind: "method-not-allowed", allow: "GET" };
    return { kind: "operation", operation: { do: "nodes", imageId: second }, policy: "list_cached_nodes" };
  }
  switch (first) {
    case undefined:
      if (method === "GET") return { kind: "operation", operation: { do: "list" }, policy: "cache_list" };
      if (method === "DELETE") return { kind: "operation", operation: { do: "clear" }, policy: "cache_delete" };
      return { kind: "method-not-allowed", allow: "GET, DELETE" };
    case "clean":
    case "prune":
      if (method !== "POST") return { kind: "method-not-allowed", allow: "POST" };
      return { kind: "operation", operation: { do: first }, policy: `cache_${first}` };
    case "fills":
      if (method !== "GET") return { kind: "method-not-allowed", allow: "GET" };
      return { kind: "operation", operation: { do: "list-fills" }, policy: "cache_list" };
  }
  if (method === "PUT") {
    return { kind: "operation", operation: { do: "queue", imageId: first }, policy: "cache_image" };
  }
  if (method === "DELETE") {
    return { kind: "operation", operation: { do: "delete", imageId: first }, policy: "cache_delete" };
  }
  return { kind: "method-not-allowed", allow: "DELETE, PUT" };
}

/** The legacy form has no 405: what it does not know goes on to the API behind it. */
function matchLegacy(method: string, collection: string | undefined, imageId: string | undefined): Operation | null {
  const verb = legacyVerb(method, imageId);
  if (collection === "cached_images") return verb === null ? null : { do: "legacy-cached", verb };
  if (collection !== "queued_images") return null;
  if (method === "PUT" && imageId !== undefined) return { do: "legacy-queued", verb: { do: "add", imageId } };
  return verb === null ? null : { do: "legacy-queued", verb };
}

function legacyVerb(method: string, imageId: string | undefined): LegacyVerb | null {
  if (method === "DELETE") return imageId === undefined ? { do: "delete-all" } : { do: "delete", imageId };
  return method === "GET" && imageId === undefined ? { do: "list" } : null;
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment; // Not UTF-8: the name of no image, which is all that matters.
  }
}
