/** One request and its answer, as the handlers see it. */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Namespace } from "../namespace.ts";
import type { RequestEntry } from "./request-log.ts";
import { errorBody, HttpError, reasonOf } from "./webob-error.ts";

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly namespace: Namespace;
  /** The log's entry; a request to the control has one too, but it's in no log. */
  readonly entry: RequestEntry;
  /** X-Auth-Token. */
  readonly token: string | null;
  /** Fires when the client is gone before its answer ended: nothing is done for it any longer. */
  readonly gone: AbortSignal;
  readonly method: string;
  /** Decoded, without the namespace's prefix. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** The namespace's own URL as the client knows it (Host header), without a trailing slash. */
  readonly base: string;
}

export type Headers = Readonly<Record<string, string>>;

/** JSON bodies are small; more than this is a mistake or an attack. */
const MAX_JSON_BYTES = 2 ** 20;

/** A request header's value, several fields joined. */
export function headerOf(request: IncomingMessage, name: string): string | null {
  const value = request.headers[name];
  return (Array.isArray(value) ? value.join(", ") : value) ?? null;
}

/** The status line and the headers. They go out with the first body byte, or by flushHeaders. */
export function begin(exchange: Exchange, status: number, headers: Headers): void {
  exchange.entry.status = status;
  exchange.response.writeHead(status, reasonOf(status, STATUS_CODES[status]), { ...headers });
}

/** A whole answer with a body in memory. */
export function reply(exchange: Exchange, status: number, headers: Headers, body: string): void {
  const bytes = Buffer.from(body);
  begin(exchange, status, { ...headers, "Content-Length": String(bytes.length) });
  exchange.response.end(bytes, () => {
    if (exchange.method !== "HEAD") exchange.entry.bytes = bytes.length;
  });
}

export function replyJson(exchange: Exchange, status: number, value: unknown, headers: Headers = {}): void {
  reply(exchange, status, { "Content-Type": "application/json", ...headers }, JSON.stringify(value));
}

/** A success without a body carries a Content-Type all the same: WebOb's default. */
export function replyEmpty(exchange: Exchange, status: number, headers: Headers = {}): void {
  reply(exchange, status, { "Content-Type": "text/html; charset=UTF-8", ...headers }, "");
}

export function replyError(exchange: Exchange, error: HttpError): void {
  const reason = reasonOf(error.status, STATUS_CODES[error.status]);
  const body = errorBody(error, reason, exchange.request.headers.accept);
  const empty = exchange.method === "HEAD" || error.status === 204 || error.status === 304;
  const type = empty && !error.isCrash ? "text/html; charset=UTF-8" : body.type;
  if (error.isCrash) exchange.response.removeHeader("X-Openstack-Request-Id");
  // What the client still sends is read and forgotten: a connection that ends under it would take the answer along.
  exchange.request.resume();
  reply(exchange, error.status, { "Content-Type": type, ...error.headers }, empty ? "" : body.text);
}

/** @throws HttpError 400 as Glance words it (JSONRequestDeserializer) */
export async function readJson(exchange: Exchange): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of bodyOf(exchange)) {
    length += chunk.length;
    if (length > MAX_JSON_BYTES) throw new HttpError(413, "The request body is too large.");
    chunks.push(chunk);
  }
  if (length === 0) throw new HttpError(400, "Body expected in request.");
  const value = parse(Buffer.concat(chunks).toString());
  if (typeof value !== "object" || value === null) {
    throw new HttpError(400, "Unexpected body type. Expected list/dict.");
  }
  return value;
}

/** The request's body, piece by piece. A refusal in the middle of it can still be answered. */
export async function* bodyOf(exchange: Exchange): AsyncGenerator<Buffer> {
  for await (const chunk of exchange.request.iterator({ destroyOnReturn: false })) {
    if (!Buffer.isBuffer(chunk)) throw new TypeError("a request body in text mode");
    yield chunk;
  }
}

/** Waits, but no longer than the connection lives. */
export function pause(exchange: Exchange, ms: number): Promise<void> {
  return new Promise((resolve) => {
    if (exchange.response.closed) return resolve();
    const done = () => {
      clearTimeout(timer);
      exchange.response.off("close", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    exchange.response.once("close", done);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new HttpError(400, "Malformed JSON in request body.");
  }
}
