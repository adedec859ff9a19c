/**
 * Requests to the cache's management, as whoever the demo origin's Keystone knows, and what Glance refuses them with. The
 * texts are those that a Glance 25.1 was seen to send, not what src/ says.
 */
import { expect } from "vitest";
import type { Env } from "../../src/settings.ts";
import { type Ask, ask, bindings } from "./scenario.ts";
import { TABLES } from "./store.ts";

/** The Keystone of the demo origin. Its tokens: admin, demo, other. */
export const keystoneUrl = () => `${bindings.ORIGIN_URL}/v3`;

/** How a refusal can be asked for: the Accept field of each form. */
export const FORMS = { html: "*/*", json: "application/json", text: null } as const;
export type Form = keyof typeof FORMS;

/** Asks the edge as an admin, or as whoever else has the token. @param line method and path */
export async function manage(line: string, { env, ...init }: Ask = {}): Promise<Response> {
  const [method = "", path = ""] = line.split(" ");
  return ask(path, { token: "admin", method, ...init, env: { KEYSTONE_URL: keystoneUrl(), ...env } });
}

/** As {@link manage}, and accepts this form of an error only. */
export async function manageIn(form: Form, line: string, { headers, ...init }: Ask = {}): Promise<Response> {
  const fields = new Headers(headers);
  const accept = FORMS[form];
  if (accept !== null) fields.set("accept", accept);
  return manage(line, { ...init, headers: fields });
}

export interface ListedImage {
  readonly image_id: string;
  readonly hits: number;
  /** Seconds of the epoch, as is the next one. */
  readonly last_accessed: number;
  readonly last_modified: number;
  readonly size: number;
}

/** What `GET /v2/cache` lists. */
export async function cacheList(): Promise<{ cached_images: ListedImage[]; queued_images: string[] }> {
  const response = await manage("GET /v2/cache");
  expect(response.status).toBe(200);
  return response.json();
}

/** The entry of one stored image. @throws when it is not listed */
export async function entryOf(imageId: string): Promise<ListedImage> {
  const entry = (await cacheList()).cached_images.find(({ image_id }) => image_id === imageId);
  if (entry === undefined) throw new Error(`${imageId} is not in the list`);
  return entry;
}

/** A success without a body, as Glance sends it. */
export async function expectEmpty(response: Response, status: number): Promise<void> {
  expect([response.status, await response.text()]).toEqual([status, ""]);
  expect(response.headers.get("content-type")).toBe("text/html; charset=UTF-8");
  expect(response.headers.get("content-length")).toBe("0");
  expectCommon(response);
}

/** A success with JSON. @returns it */
export async function expectJson(response: Response): Promise<unknown> {
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("application/json");
  expectCommon(response);
  return response.json();
}

export const MESSAGES = {
  unauthorized:
    "This server could not verify that you are authorized to access the document you requested. Either you supplied the " +
    "wrong credentials (e.g., bad password), or your browser does not understand how to supply the credentials required.",
  bodyNotExpected: "A body is not expected with this request.",
  notActive: "Only images with status active can be targeted for queueing",
  badTarget: "If provided 'x-image-cache-clear-target' must be 'cache', 'queue' or empty string.",
  unknownNow: "The image service can't be asked about this image. Try again later.",
  notFound: (id: string) => `Image ${id} not found.`,
  forbidden: (policy: string) => `You are not authorized to complete ${policy} action.`,
} as const;

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  503: "Service Unavailable",
};

/** A refusal with this message, in this form, that no cache may keep. */
export async function expectRefusal(response: Response, form: Form, status: number, message: string): Promise<void> {
  const title = TITLES[status] ?? "";
  const text = await response.text();
  expect([response.status, response.statusText, text]).toEqual([status, title, expect.any(String)]);
  const code = `${status} ${title}`;
  switch (form) {
    case "html":
      expect(text).toBe(
        `<html>\n <head>\n  <title>${code}</title>\n </head>\n <body>\n  <h1>${code}</h1>\n  ` +
          `${escaped(message)}<br /><br />\n\n\n\n </body>\n</html>`,
      );
      expect(response.headers.get("content-type")).toBe("text/html; charset=UTF-8");
      break;
    case "json":
      expect(JSON.parse(text)).toEqual({ message: `${message}<br /><br />\n\n\n`, code, title });
      expect(response.headers.get("content-type")).toBe("application/json");
      break;
    case "text":
      expect(text).toBe(`${code}\n\n${message.replace(/<.*?>/g, "")}\n\n   `);
      expect(response.headers.get("content-type")).toBe("text/plain; charset=UTF-8");
  }
  expect(response.headers.get("www-authenticate")).toBe(status === 401 ? `Keystone uri="${keystoneUrl()}"` : null);
  expect(response.headers.get("allow")).toBeNull();
  expectCommon(response);
}

/** What is on every answer: it is for this caller and this moment, and the log has its id. */
function expectCommon(response: Response): void {
  expect(response.headers.get("cache-control")).toBe("no-store");
  expect(response.headers.get("x-openstack-request-id")).toMatch(/^req-[0-9a-f-]{36}$/);
}

function escaped(text: string): string {
  const entities: Readonly<Record<string, string>> = { "<": "&lt;", ">": "&gt;", "'": "&#x27;", '"': "&quot;" };
  return text.replaceAll("&", "&amp;").replace(/[<>'"]/g, (character) => entities[character] ?? "");
}

/** Every operation, by its line and the policy that Glance asks for it. @param id an image's */
export function operations(id: string): [line: string, policy: string][] {
  return [
    ["GET /v2/cache", "cache_list"],
    ["GET /v2/cache/fills", "cache_list"],
    ["DELETE /v2/cache", "cache_delete"],
    [`PUT /v2/cache/${id}`, "cache_image"],
    [`DELETE /v2/cache/${id}`, "cache_delete"],
    ["POST /v2/cache/clean", "cache_clean"],
    ["POST /v2/cache/prune", "cache_prune"],
    [`GET /v2/cache/nodes/${id}`, "list_cached_nodes"],
    ["GET /v2/cached_images", "manage_image_cache"],
    ["DELETE /v2/cached_images", "manage_image_cache"],
    [`DELETE /v2/cached_images/${id}`, "manage_image_cache"],
    ["GET /v2/queued_images", "manage_image_cache"],
    ["DELETE /v2/queued_images", "manage_image_cache"],
    [`PUT /v2/queued_images/${id}`, "manage_image_cache"],
    [`DELETE /v2/queued_images/${id}`, "manage_image_cache"],
  ];
}

/** All that the catalog says, to see that nothing has changed. */
export async function everything(): Promise<unknown> {
  const { CATALOG } = bindings;
  const rows = await CATALOG.batch(TABLES.map((table) => CATALOG.prepare(`SELECT * FROM ${table}`)));
  return rows.map(({ results }) => results);
}

/** A D1 whose statements pass by first; it may throw or wait in place of the real one. */
export function catalogThat(see: (sql: string) => Promise<void>): Pick<Env, "CATALOG"> {
  const { CATALOG } = bindings;
  const watched = (sql: string, statement: D1PreparedStatement): D1PreparedStatement =>
    new Proxy(statement, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== "function") return value;
        if (name === "bind") return (...values: unknown[]) => watched(sql, target.bind(...values));
        return async (...values: unknown[]) => {
          await see(sql);
          return Reflect.apply(value, target, values);
        };
      },
    });
  const proxy = new Proxy(CATALOG, {
    get(target, name) {
      if (name === "prepare") return (sql: string) => watched(sql, target.prepare(sql));
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { CATALOG: proxy };
}
