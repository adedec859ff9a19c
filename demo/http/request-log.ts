/**
 * What the origin was asked, in order, so that a test can say what a download cost it. It keeps no secret: whoever reads it
 * must not get the right of those who asked.
 */
import type { IncomingMessage } from "node:http";
import { nameOfToken } from "../keystone/tokens.ts";
import { MAX_LOGGED } from "../limits.ts";

export interface RequestEntry {
  readonly method: string;
  /** As sent, with the query, without the namespace's prefix. */
  readonly path: string;
  readonly range: string | null;
  readonly contentRange: string | null;
  /** The name of the X-Auth-Token ({@link nameOfToken}). */
  readonly token: string | null;
  /** With names instead of values where the value is a secret. */
  readonly headers: Readonly<Record<string, string>>;
  /** 0 until the answer began. */
  status: number;
  /** Body bytes that were handed to the operating system so far. */
  bytes: number;
  /** The connection ended before the answer did, whichever side cut it. */
  aborted: boolean;
  /** Ms since the epoch. */
  readonly at: number;
}

/** X-Auth-Token, X-Subject-Token, X-Service-Token and all that is named likewise. */
const SECRET = /token|auth|cookie|secret|password|credential|api-?key/;

export function entryFor(request: IncomingMessage, path: string): RequestEntry {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (value === undefined) continue;
    const text = Array.isArray(value) ? value.join(", ") : value;
    headers[name] = SECRET.test(name) ? nameOfToken(text) : text;
  }
  return {
    method: request.method ?? "",
    path,
    range: headers.range ?? null,
    contentRange: headers["content-range"] ?? null,
    token: headers["x-auth-token"] ?? null,
    headers,
    status: 0,
    bytes: 0,
    aborted: false,
    at: Date.now(),
  };
}

/** The log of all namespaces; the oldest entries go. */
export class RequestLog {
  #entries: { readonly prefix: string; readonly entry: RequestEntry }[] = [];

  /** @param prefix the namespace's */
  add(prefix: string, entry: RequestEntry): void {
    if (this.#entries.length >= MAX_LOGGED) this.#entries.shift();
    this.#entries.push({ prefix, entry });
  }

  of(prefix: string): RequestEntry[] {
    return this.#entries.filter((logged) => logged.prefix === prefix).map(({ entry }) => entry);
  }

  forget(prefix: string): void {
    this.#entries = this.#entries.filter((logged) => logged.prefix !== prefix);
  }
}
