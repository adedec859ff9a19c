/** What a namespace was asked, in order, so that a test can say what a download cost the origin. */
import type { IncomingMessage } from "node:http";

export interface RequestEntry {
  readonly method: string;
  /** As sent, with the query, without the namespace's prefix. */
  readonly path: string;
  readonly range: string | null;
  readonly contentRange: string | null;
  /** X-Auth-Token. */
  readonly token: string | null;
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

export function entryFor(request: IncomingMessage, path: string): RequestEntry {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(", ") : value;
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
