/** One request with path and headers exactly as they are given, on a connection of its own. */
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { buffer } from "node:stream/consumers";
import type { Headers } from "./case.ts";

export interface Answer {
  readonly status: number;
  readonly reason: string;
  /** Names in lower case. */
  readonly headers: Headers;
  /** Each byte a character. */
  readonly body: string;
}

export async function send(
  url: string,
  method: string,
  path: string,
  headers: Headers,
  body?: string,
): Promise<Answer> {
  const { hostname, port } = new URL(url);
  const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
  const sent = request({ hostname, port, method, path, headers: { ...length, ...headers }, agent: false });
  sent.end(body);
  const [message] = (await once(sent, "response")) as [IncomingMessage];
  const bytes = await buffer(message);
  const fields = Object.entries(message.headers).map(([name, value]) => [name, String(value)] as const);
  return {
    status: message.statusCode ?? 0,
    reason: message.statusMessage ?? "",
    headers: Object.fromEntries(fields),
    body: bytes.toString("latin1"),
  };
}
