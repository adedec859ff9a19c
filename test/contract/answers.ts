/** Answers as Glance and WebOb word them. */
import { createHash } from "node:crypto";
import type { Expected, Headers } from "./case.ts";

export const DATA = "abcdefghijklmnopqrstuvwxyz";
/** More than a store hands over at a time, 64 KiB. */
export const LARGE_DATA = Buffer.alloc(200_001, DATA).toString("latin1");

/** What every answer behind the token's check bears. */
export const REQUEST_ID = { "x-openstack-request-id": "req-{uuid}" };
const HTML = "text/html; charset=UTF-8";
/** Of what has no body, a success too: WebOb's default. */
const UNTYPED = { "content-type": HTML, "content-length": "0" };

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  201: "Created",
  204: "No Content",
  206: "Partial Content",
  300: "Multiple Choices",
  302: "Found",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  415: "Unsupported Media Type",
  416: "Request Range Not Satisfiable",
  500: "Internal Server Error",
};

function answer(status: number, headers: Headers, body: Expected["body"]): Expected {
  return { status, reason: REASONS[status] ?? "", headers, body };
}

/** Image data, or a part of it, [from, to). */
export function data(bytes: string, from?: number, to = bytes.length): Expected {
  const whole = { "content-type": "application/octet-stream", "content-md5": digestOf("md5", bytes), ...REQUEST_ID };
  if (from === undefined) return answer(200, whole, bytes);
  const range = { "content-range": `bytes ${from}-${to - 1}/${bytes.length}` };
  return answer(206, { ...whole, ...range }, bytes.slice(from, to));
}

/** A part where the store can read from the middle, and its refusal where it can't. */
export function part(from: number, to: number): (readsAtRandom: boolean) => Expected {
  const words = `Getting images randomly from this store is not supported. Offset: ${from}, length: ${to - from}`;
  return (readsAtRandom) => (readsAtRandom ? data(DATA, from, to) : refusal(400, words));
}

export function json(status: number, value: unknown, headers: Headers = {}): Expected {
  return answer(status, { "content-type": "application/json", ...REQUEST_ID, ...headers }, { json: value });
}

/** A success that has nothing to say. */
export const NOTHING: Expected = answer(204, { ...UNTYPED, ...REQUEST_ID }, "");
/** The data of an image that has none. */
export const NO_DATA: Expected = answer(204, { "content-length": "0", ...REQUEST_ID }, "");
/** Glance itself fails, and eventlet answers. */
export const CRASH: Expected = answer(500, { "content-type": "text/plain" }, "");

export type Form = "text" | "html" | "json";
/** What a client sends as Accept, to which WebOb gives that form. Without Accept it is text. */
export const ACCEPTS: Readonly<Record<string, Form>> = {
  "text/plain": "text",
  "text/html": "html",
  "*/*": "html",
  "application/json": "json",
  "application/*": "json",
  "application/json, text/html": "html",
  "text/html;q=0.5, application/json": "json",
  "image/png": "text",
};

export interface Words {
  /** Follows the explanation. */
  readonly detail?: string;
  readonly form?: Form;
  readonly headers?: Headers;
}

/** A refusal behind the token's check, in WebOb's form (webob/exc.py). */
export function refusal(status: number, explanation: string, { detail = "", form, headers }: Words = {}): Expected {
  const code = `${status} ${REASONS[status]}`;
  // Those two have no place for a comment.
  const rest = status === 405 || status === 415 ? "" : "\n\n";
  const message = `${explanation}<br /><br />\n${detail}${rest}`;
  const all = { ...REQUEST_ID, ...headers };
  if (form === "json") {
    const value = { message, code, title: REASONS[status] };
    return answer(status, { ...all, "content-type": "application/json" }, { json: value });
  }
  if (form === "html") {
    const head = `<html>\n <head>\n  <title>${code}</title>\n </head>\n <body>\n  <h1>${code}</h1>\n`;
    return answer(status, { ...all, "content-type": HTML }, `${head}  ${message}\n </body>\n</html>`);
  }
  const text = `${code}\n\n${explanation}\n\n ${detail}${" ".repeat(rest.length)}`;
  return answer(status, { ...all, "content-type": "text/plain; charset=UTF-8" }, text);
}

export function noImage(id = "{id}"): Expected {
  return refusal(404, `No image found with ID ${id}`);
}

export const NO_ROUTE = refusal(404, "The resource could not be found.");

export function noMethod(method: string, allow: string, form?: Form): Expected {
  const headers = { allow };
  if (method === "HEAD") return answer(405, { ...UNTYPED, ...headers, ...REQUEST_ID }, "");
  return refusal(405, `The method ${method} is not allowed for this resource. `, {
    headers,
    ...(form === undefined ? {} : { form }),
  });
}

/** No token, or none that is any good. This one comes before the request has an id. */
export function unauthorized(form?: Form): Expected {
  const words =
    "This server could not verify that you are authorized to access the document you requested. Either you supplied the wrong credentials (e.g., bad password), or your browser does not understand how to supply the credentials required.";
  const refused = refusal(401, words, form === undefined ? {} : { form });
  const { "x-openstack-request-id": _, ...headers } = refused.headers;
  return { ...refused, headers: { ...headers, "www-authenticate": 'Keystone uri="{keystone}"' } };
}

/** As {@link unauthorized}, to HEAD. */
export const UNAUTHORIZED_HEAD: Expected = {
  ...answer(401, { ...UNTYPED, "www-authenticate": 'Keystone uri="{keystone}"' }, ""),
};

const DEACTIVATED = "The requested image has been deactivated. Image data download is forbidden.";
export const NO_DEACTIVATED = refusal(403, DEACTIVATED);
export const NOT_YOURS = refusal(403, "You do not own this image");
export function notAuthorized(policy: string): Expected {
  return refusal(403, `You are not authorized to complete ${policy} action.`);
}

export function unsatisfiable(detail: string, form?: Form): Expected {
  return refusal(416, "The Range requested is not available.", { detail, ...(form === undefined ? {} : { form }) });
}

export function outside(size: number, form?: Form): Expected {
  const range = `[0, ${size - 1}]`;
  const words = `Invalid start position in Range header. Start position MUST be in the inclusive range ${range}.`;
  return unsatisfiable(words, form);
}

/** What answers before any token is looked at has no id either. */
export function plain(status: number, headers: Headers, body: Expected["body"]): Expected {
  return answer(status, headers, body);
}

export function digestOf(algorithm: "md5" | "sha512", bytes: string): string {
  return createHash(algorithm).update(bytes, "latin1").digest("hex");
}
