/** What stands below `/edge/` for the page: its files, and its API. Pure. */
import { UUID } from "../glance/target.ts";

export type Route =
  | { readonly do: "state" | "images" | "traffic" | "login" | "clear" }
  | { readonly do: "pin"; readonly imageId: string; readonly pinned: boolean }
  /** Done as this request of Glance's cache API. */
  | { readonly do: "manage"; readonly method: "PUT" | "DELETE" | "POST"; readonly path: string };

export type Match =
  | { readonly kind: "api"; readonly route: Route }
  | { readonly kind: "method-not-allowed"; readonly allow: string }
  /** A part of the API that there is not. */
  | { readonly kind: "unknown" }
  /** A file of the page, by its path among the assets. */
  | { readonly kind: "file"; readonly file: string }
  /** The page's address without its last slash. */
  | { readonly kind: "moved" };

type Answering = Readonly<Record<string, (imageId: string) => Route>>;

const API: readonly (readonly [RegExp, Answering])[] = [
  [/^state$/, { GET: () => ({ do: "state" }) }],
  [/^images$/, { GET: () => ({ do: "images" }) }],
  [/^traffic$/, { GET: () => ({ do: "traffic" }) }],
  [/^login$/, { POST: () => ({ do: "login" }) }],
  [/^clear$/, { POST: () => ({ do: "clear" }) }],
  [
    new RegExp(`^pins/(${UUID})$`),
    {
      PUT: (imageId) => ({ do: "pin", imageId, pinned: true }),
      DELETE: (imageId) => ({ do: "pin", imageId, pinned: false }),
    },
  ],
  [/^prune$/, { POST: () => ({ do: "manage", method: "POST", path: "/v2/cache/prune" }) }],
  [new RegExp(`^images/(${UUID})$`), { DELETE: (id) => ({ do: "manage", method: "DELETE", path: `/v2/cache/${id}` }) }],
  [
    new RegExp(`^queue/(${UUID})$`),
    {
      PUT: (id) => ({ do: "manage", method: "PUT", path: `/v2/cache/${id}` }),
      DELETE: (id) => ({ do: "manage", method: "DELETE", path: `/v2/queued_images/${id}` }),
    },
  ],
];

/** @param path undecoded, below the edge's base, without a query. @returns null for what is none of the page's */
export function matchPage(method: string, path: string): Match | null {
  if (path === "/edge") return { kind: "moved" };
  if (!path.startsWith("/edge/")) return null;
  const rest = path.slice("/edge/".length);
  if (rest === "api" || rest.startsWith("api/")) return matchApi(method, rest.slice("api/".length));
  if (method !== "GET" && method !== "HEAD") return { kind: "method-not-allowed", allow: "GET, HEAD" };
  return { kind: "file", file: rest === "" ? "index.html" : rest };
}

function matchApi(method: string, path: string): Match {
  for (const [pattern, methods] of API) {
    const found = pattern.exec(path);
    if (found === null) continue;
    const route = Object.hasOwn(methods, method) ? methods[method]?.(found[1] ?? "") : undefined;
    return route === undefined
      ? { kind: "method-not-allowed", allow: Object.keys(methods).join(", ") }
      : { kind: "api", route };
  }
  return { kind: "unknown" };
}
