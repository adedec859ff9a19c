/**
 * The requests of manage-conformance.test.ts: those that the edge and the Glance beside it answer the same, and those
 * that they are known to answer differently, with the reason.
 */
import { EDGE } from "./addresses.ts";
import type { User } from "./cloud.ts";

/** What is compared of an answer. */
export interface Comparable {
  readonly status: number;
  readonly allow: string | undefined;
  readonly authenticate: string | undefined;
  readonly type: string | undefined;
  /** JSON parsed, without the order of its lists and its times, which are each cache's own; anything else as text. */
  readonly body: unknown;
}

/**
 * What both caches are brought to before the request, where it matters. `stored`: {A} is cached. `waiting`: {Q}, which
 * has no data, is queued. `orphan`: {G} is cached, but Glance has deleted it since.
 */
export type Given = "nothing" | "stored" | "waiting" | "orphan";

export interface Row {
  /** Method and path. {A}: a private active image of demo's, {Q}: one without data, {D}: deactivated, {X}: none. */
  readonly ask: string;
  /** `nobody` has no token, `forger` one that Keystone never gave. Default: admin. */
  readonly as?: User | "nobody" | "forger";
  readonly given?: Given;
  /** As `Name: value`; curl adds an Accept that takes anything. */
  readonly headers?: readonly string[];
  readonly body?: string;
}

const JSON_TYPE = "Content-Type: application/json";
const TARGET = "x-image-cache-clear-target:";

/** One refusal of each kind: its body's form is the caller's to choose. */
const REFUSALS: readonly Row[] = [
  { ask: "GET /v2/cache", as: "nobody" },
  { ask: "GET /v2/cache", as: "demo" },
  { ask: "PUT /v2/cache/{X}" },
  { ask: "PUT /v2/cache/%3Cb%3Ea&%22" },
  { ask: "POST /v2/cache" },
  { ask: "DELETE /v2/cache", headers: [`${TARGET} both`] },
  { ask: "GET /v2/cache/" },
];

/** `Accept:` is how curl is told to send none. */
const ACCEPTS: readonly string[] = [
  "Accept:",
  "Accept: application/json",
  "Accept: application/*",
  "Accept: text/html",
  "Accept: text/plain",
  "Accept: application/json, text/html",
  "Accept: application/json;q=0",
  "Accept: image/png",
];

export const TABLE: readonly Row[] = [
  ...REFUSALS,
  ...REFUSALS.flatMap((row) => ACCEPTS.map((accept) => ({ ...row, headers: [...(row.headers ?? []), accept] }))),

  { ask: "GET /v2/cache", given: "nothing" },
  { ask: "GET /v2/cache", given: "stored" },
  { ask: "GET /v2/cache", given: "waiting" },
  { ask: "GET /v2/cache?limit=1", given: "nothing" },
  { ask: "GET /v2/cache", as: "forger" },
  { ask: "GET /v2/cache", headers: [JSON_TYPE], body: "{}" },
  { ask: "GET /v2/cache", as: "demo", headers: [JSON_TYPE], body: "{}" },
  { ask: "GET /v2/cache", as: "nobody", headers: [JSON_TYPE], body: "{}" },
  { ask: "GET /v2/cache", headers: ["Content-Type: text/plain"], body: "junk" },

  { ask: "PUT /v2/cache/{A}", given: "nothing" },
  { ask: "PUT /v2/cache/{A}", given: "stored" },
  { ask: "PUT /v2/cache/{A}", as: "demo" },
  { ask: "PUT /v2/cache/{A}", as: "other" },
  { ask: "PUT /v2/cache/{A}", as: "nobody" },
  { ask: "PUT /v2/cache/{A}", as: "forger" },
  { ask: "PUT /v2/cache/{Q}" },
  { ask: "PUT /v2/cache/{Q}", as: "demo" },
  { ask: "PUT /v2/cache/{Q}", given: "waiting" },
  { ask: "PUT /v2/cache/{D}" },
  { ask: "PUT /v2/cache/{X}", as: "demo" },
  { ask: "PUT /v2/cache/{X}", as: "nobody" },
  { ask: "PUT /v2/cache/nonsense" },
  { ask: "PUT /v2/cache/nonsense", as: "demo" },
  { ask: "PUT /v2/cache/{G}", given: "orphan" },

  { ask: "DELETE /v2/cache/{A}", given: "stored" },
  { ask: "DELETE /v2/cache/{A}", given: "nothing" },
  { ask: "DELETE /v2/cache/{A}", as: "demo", given: "stored" },
  { ask: "DELETE /v2/cache/{A}", as: "other", given: "stored" },
  { ask: "DELETE /v2/cache/{A}", as: "other", given: "nothing" },
  { ask: "DELETE /v2/cache/{A}", as: "nobody" },
  { ask: "DELETE /v2/cache/{Q}", given: "waiting" },
  { ask: "DELETE /v2/cache/{Q}", as: "demo", given: "waiting" },
  { ask: "DELETE /v2/cache/{Q}", given: "nothing" },
  { ask: "DELETE /v2/cache/{D}" },
  { ask: "DELETE /v2/cache/{X}" },
  { ask: "DELETE /v2/cache/{X}", as: "demo" },
  { ask: "DELETE /v2/cache/nonsense" },
  { ask: "DELETE /v2/cache/{G}", given: "orphan" },
  { ask: "DELETE /v2/cache/{G}", as: "demo", given: "orphan" },

  { ask: "DELETE /v2/cache", given: "stored" },
  { ask: "DELETE /v2/cache", as: "demo" },
  { ask: "DELETE /v2/cache", as: "nobody" },
  { ask: "DELETE /v2/cache", as: "demo", headers: [`${TARGET} both`] },
  ...["cache", "queue", "CACHE", "Queue", "all", "cache,queue"].map((target) => ({
    ask: "DELETE /v2/cache",
    headers: [`${TARGET} ${target}`],
  })),
  // curl's way to send an empty field.
  { ask: "DELETE /v2/cache", headers: [TARGET.replace(":", ";")] },

  ...["PUT", "PATCH", "HEAD", "OPTIONS"].map((method) => ({ ask: `${method} /v2/cache` })),
  ...["GET", "POST", "PATCH", "HEAD", "OPTIONS"].map((method) => ({ ask: `${method} /v2/cache/{A}` })),
  { ask: "POST /v2/cache", as: "demo" },
  { ask: "POST /v2/cache", as: "nobody" },
  { ask: "POST /v2/cache", as: "forger" },
  { ask: "GET /v2/cache/{X}", as: "demo" },
  { ask: "GET /v2/cache/nodes" },

  ...["PUT", "DELETE", "GET"].map((method) => ({ ask: `${method} /v2/cache/{A}/` })),
  { ask: "DELETE /v2/cache/" },
  { ask: "GET /v2/cache/", as: "nobody" },
  { ask: "GET /v2/cache/{A}/more" },
  { ask: "PUT /v2/cache/a%2Fb" },

  ...["cached_images", "queued_images"].flatMap((kind): Row[] => [
    { ask: `GET /v2/${kind}`, given: "nothing" },
    { ask: `GET /v2/${kind}`, given: "stored" },
    { ask: `GET /v2/${kind}`, given: "waiting" },
    { ask: `GET /v2/${kind}`, as: "demo" },
    { ask: `GET /v2/${kind}`, as: "nobody" },
    { ask: `GET /v2/${kind}`, as: "forger" },
    { ask: `DELETE /v2/${kind}`, given: "stored" },
    { ask: `DELETE /v2/${kind}`, given: "waiting" },
    { ask: `DELETE /v2/${kind}`, given: "nothing" },
    { ask: `DELETE /v2/${kind}`, as: "demo" },
    { ask: `DELETE /v2/${kind}/{A}`, given: "stored" },
    { ask: `DELETE /v2/${kind}/{A}`, as: "demo" },
    { ask: `DELETE /v2/${kind}/{X}` },
    { ask: `DELETE /v2/${kind}/nonsense` },
    ...["POST", "PUT", "PATCH", "HEAD", "OPTIONS"].map((method) => ({ ask: `${method} /v2/${kind}` })),
    ...["GET", "POST", "PATCH", "HEAD"].map((method) => ({ ask: `${method} /v2/${kind}/{A}` })),
    { ask: `GET /v2/${kind}/` },
    { ask: `DELETE /v2/${kind}/{A}/` },
  ]),
  { ask: "PUT /v2/queued_images/{Q}", given: "nothing" },
  { ask: "PUT /v2/queued_images/{A}", given: "stored" },
  { ask: "PUT /v2/queued_images/{X}", given: "nothing" },
  { ask: "PUT /v2/queued_images/{X}", as: "demo" },
  { ask: "PUT /v2/cached_images/{A}" },
];

export interface Difference extends Row {
  readonly why: string;
  /** What the Glance here answers: a row that is no longer so has to go. */
  readonly glance: Partial<Comparable>;
  readonly edge: Partial<Comparable>;
}

const NODES = "which nodes hold an image came with the centralised cache, after this Glance";
const NEWER = "API 2.18, which this Glance does not have";

export const DIFFERENCES: readonly Difference[] = [
  {
    ask: "POST /v2/cache/clean",
    why: NEWER,
    glance: { status: 405, allow: "DELETE, PUT" },
    edge: { status: 200, body: "" },
  },
  {
    ask: "POST /v2/cache/prune",
    why: NEWER,
    glance: { status: 405, allow: "DELETE, PUT" },
    edge: { status: 200, type: "application/json", body: { total_files_pruned: 0, total_bytes_pruned: 0 } },
  },
  ...["clean", "prune"].map((path) => ({
    ask: `POST /v2/cache/${path}`,
    as: "demo" as const,
    headers: ["Accept: text/plain"],
    why: NEWER,
    glance: { status: 405, allow: "DELETE, PUT" },
    edge: { status: 403, body: `403 Forbidden\n\nYou are not authorized to complete cache_${path} action.\n\n   ` },
  })),
  ...["clean", "prune"].flatMap((path) => [
    {
      ask: `GET /v2/cache/${path}`,
      why: NEWER,
      glance: { status: 405, allow: "DELETE, PUT" },
      edge: { status: 405, allow: "POST" },
    },
    {
      ask: `PUT /v2/cache/${path}`,
      why: `${NEWER}: it takes the word for an image's id`,
      glance: { status: 404 },
      edge: { status: 405, allow: "POST" },
    },
    {
      ask: `DELETE /v2/cache/${path}`,
      why: `${NEWER}: it takes the word for an image's id`,
      glance: { status: 404 },
      edge: { status: 405, allow: "POST" },
    },
  ]),
  {
    ask: "GET /v2/cache/nodes/{A}",
    given: "stored",
    why: NODES,
    glance: { status: 404 },
    edge: { status: 200, type: "application/json", body: [EDGE] },
  },
  {
    ask: "GET /v2/cache/nodes/{A}",
    given: "nothing",
    why: NODES,
    glance: { status: 404 },
    edge: { status: 200, type: "application/json", body: [] },
  },
  {
    ask: "GET /v2/cache/nodes/{A}",
    as: "demo",
    headers: ["Accept: text/plain"],
    why: NODES,
    glance: { status: 404 },
    edge: { status: 403, body: "403 Forbidden\n\nYou are not authorized to complete list_cached_nodes action.\n\n   " },
  },
  {
    ask: "POST /v2/cache/nodes/{A}",
    why: NODES,
    glance: { status: 404 },
    edge: { status: 405, allow: "GET" },
  },
];
