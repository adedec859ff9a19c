/** The edge's API as the page calls it (src/page/). The token is in memory only, and goes in a header only. */
import * as v from "valibot";
import { ApiError, type Fill, Images, Login, Pruned, State, Traffic } from "../../src/page/schemas.ts";

export type StateAnswer = v.InferOutput<typeof State>;
export type FillRow = v.InferOutput<typeof Fill>;
export type QueuedRow = NonNullable<StateAnswer["queue"]>["rows"][number];
export type ImageRow = v.InferOutput<typeof Images>["rows"][number];

/** What the page asks for may take so long, ms: a prune takes 20 s at most. */
const PATIENCE_MS = 30_000;

/** Status 0: nothing that the edge would say came. The message is for the operator. */
export class ApiFailure extends Error {
  override readonly name = "ApiFailure";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface Session {
  readonly token: string;
  /** By the edge's clock; null: nobody knows. */
  readonly expiresAt: number | null;
  readonly who: string | null;
}

type Method = "GET" | "PUT" | "POST" | "DELETE";

async function call<S extends v.GenericSchema>(
  schema: S,
  token: string | null,
  method: Method,
  path: string,
  body?: unknown,
): Promise<v.InferOutput<S>> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(path, {
      method,
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE_MS),
      headers: {
        accept: "application/json",
        ...(token === null ? {} : { "x-auth-token": token }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    text = await response.text();
  } catch {
    throw new ApiFailure(0, "The edge does not answer. Look at your connection; the page tries again by itself.");
  }
  const value = parse(text);
  if (response.ok) {
    const read = v.safeParse(schema, value);
    if (read.success) return read.output;
    throw new ApiFailure(0, "The edge's answer is not of this page's version. Reload the page.");
  }
  const error = v.safeParse(ApiError, value);
  if (error.success) throw new ApiFailure(response.status, error.output.error.message);
  throw new ApiFailure(
    response.status,
    `The edge answered ${response.status}. Its log (npx wrangler tail) has the reason.`,
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const Done = v.object({});
const Record = v.object({ name: v.nullish(v.string(), null) });

export interface ImagesAsked {
  readonly sort: "name" | "size" | "hits" | "last_accessed" | "verified_at";
  readonly order: "asc" | "desc";
  readonly filter: string;
  readonly limit: number;
  readonly offset: number;
}

/** @throws ApiFailure, each of them */
export const api = {
  login: (id: string, secret: string) => call(Login, null, "POST", "api/login", { id, secret }),
  state: (token: string) => call(State, token, "GET", "api/state"),
  images: (token: string, { limit, offset, ...asked }: ImagesAsked) => {
    const query = new URLSearchParams({ ...asked, limit: String(limit), offset: String(offset) });
    return call(Images, token, "GET", `api/images?${query}`);
  },
  traffic: (token: string, hours: number) => call(Traffic, token, "GET", `api/traffic?hours=${hours}`),
  queue: (token: string, id: string) => call(Done, token, "PUT", `api/queue/${encodeURIComponent(id)}`),
  dequeue: (token: string, id: string) => call(Done, token, "DELETE", `api/queue/${encodeURIComponent(id)}`),
  remove: (token: string, id: string) => call(Done, token, "DELETE", `api/images/${encodeURIComponent(id)}`),
  pin: (token: string, id: string, pinned: boolean) =>
    call(Done, token, pinned ? "PUT" : "DELETE", `api/pins/${encodeURIComponent(id)}`),
  clear: (token: string, what: "cache" | "queue") => call(Done, token, "POST", "api/clear", { what }),
  prune: (token: string) => call(Pruned, token, "POST", "api/prune"),
  /** An image's name, of Glance itself. */
  name: async (token: string, id: string) =>
    (await call(Record, token, "GET", `../v2/images/${encodeURIComponent(id)}`)).name,
};
