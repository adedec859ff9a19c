/**
 * A reverse proxy in Node that stands between the edge and its origin and counts the body bytes of each answer, so
 * that a test can say what a download cost the origin's link. It changes nothing: method, path, status line, headers
 * (Host too) and bodies pass as they came, so the origin names this proxy in its links, and ORIGIN_URL is the proxy.
 *
 * What it counted is read from a port of its own: `GET` gives a JSON array of {@link Exchange}, `DELETE` empties it.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";

export interface Exchange {
  readonly method: string;
  /** Path and query as they were sent. */
  readonly path: string;
  readonly range: string | null;
  /** 0 until the origin has answered. */
  status: number;
  /** Body bytes that have come from the origin. */
  bytes: number;
  /** True when nothing more will come: the answer ended, or one of the sides hung up. */
  ended: boolean;
}

export interface CountingProxy {
  readonly url: string;
  readonly countsUrl: string;
  close(): Promise<void>;
}

export interface CountingProxyOptions {
  /** The origin's host and port. */
  readonly origin: { readonly host: string; readonly port: number };
  /** 0: any. */
  readonly port: number;
  readonly countsPort: number;
  /** Told of each piece of a body before it is passed on. */
  readonly onData?: (exchange: Exchange) => void;
  /** An answer's body is passed on when this is done. */
  readonly untilBody?: (exchange: Exchange) => Promise<void>;
}

export async function startCountingProxy(options: CountingProxyOptions): Promise<CountingProxy> {
  const exchanges: Exchange[] = [];
  const proxy = createServer((incoming, answer) => pass(incoming, answer, options, exchanges));
  // An image upload may take longer than Node's default of five minutes.
  proxy.requestTimeout = 0;
  const counts = createServer((incoming, answer) => {
    if (incoming.method === "DELETE") exchanges.length = 0;
    answer.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(exchanges));
  });
  const ports = await Promise.all([listen(proxy, options.port), listen(counts, options.countsPort)]);
  return {
    url: `http://127.0.0.1:${ports[0]}`,
    countsUrl: `http://127.0.0.1:${ports[1]}`,
    close: async () => {
      for (const server of [proxy, counts]) {
        const closed = once(server.close(), "close");
        server.closeAllConnections();
        await closed;
      }
    },
  };
}

function pass(
  incoming: IncomingMessage,
  answer: ServerResponse,
  { origin, onData, untilBody = () => Promise.resolve() }: CountingProxyOptions,
  exchanges: Exchange[],
): void {
  const exchange: Exchange = {
    method: incoming.method ?? "",
    path: incoming.url ?? "",
    range: incoming.headers.range ?? null,
    status: 0,
    bytes: 0,
    ended: false,
  };
  exchanges.push(exchange);
  const outgoing = request({
    ...origin,
    method: exchange.method,
    path: exchange.path,
    setHost: false,
    // One connection per request: a reused one may be closed by the origin just as the next request is sent.
    agent: false,
  });
  for (const [name, value] of pairs(withoutConnection(incoming.rawHeaders))) outgoing.appendHeader(name, value);
  // A request without a body stays one: Node would make it an empty chunked body, which Glance takes for broken JSON.
  if (!hasBody(incoming)) outgoing.useChunkedEncodingByDefault = false;
  const end = () => {
    exchange.ended = true;
    outgoing.destroy();
    answer.destroy();
  };
  outgoing.on("response", (response) => {
    exchange.status = response.statusCode ?? 0;
    answer.sendDate = false;
    answer.writeHead(exchange.status, response.statusMessage ?? "", withoutConnection(response.rawHeaders));
    answer.flushHeaders();
    response.on("end", () => {
      exchange.ended = true;
    });
    // A body that the origin cuts short must end cut short here too.
    response.on("error", end);
    // Not listened to before: it would flow away.
    void untilBody(exchange).then(() => {
      response.on("data", (chunk: Buffer) => {
        exchange.bytes += chunk.length;
        onData?.(exchange);
      });
      response.pipe(answer);
    });
  });
  outgoing.on("error", end);
  answer.on("close", () => {
    if (!answer.writableFinished) end();
  });
  incoming.on("error", end);
  incoming.pipe(outgoing);
}

/** RFC 9112 section 6.3: a request has a body only if it says so. */
function hasBody(incoming: IncomingMessage): boolean {
  return incoming.headers["content-length"] !== undefined || incoming.headers["transfer-encoding"] !== undefined;
}

/** Raw headers but for the two that concern one connection, which Node writes itself. */
function withoutConnection(raw: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? "";
    if (!/^(connection|keep-alive)$/i.test(name)) kept.push(name, raw[i + 1] ?? "");
  }
  return kept;
}

function pairs(raw: readonly string[]): [string, string][] {
  return Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i] ?? "", raw[2 * i + 1] ?? ""]);
}

async function listen(server: Server, port: number): Promise<number> {
  await once(server.listen(port, "127.0.0.1"), "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server without a port");
  return address.port;
}
