/** HTTP/1.1 without a client's kindness: what is on the wire, header by header and byte by byte. */
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { afterAll } from "vitest";

/** Names in lower case, in the order on the wire, repeated ones apart. */
export type Fields = readonly (readonly [string, string])[];

export interface Answer {
  readonly status: number;
  readonly fields: Fields;
  readonly body: Buffer;
}

/** The values of a field. */
export function valuesOf(fields: Fields, name: string): string[] {
  return fields.filter(([other]) => other === name).map(([, value]) => value);
}

/**
 * One request by node:http, which decodes chunks and nothing else. @param body sent in chunks, or with its length if a Buffer
 */
export async function ask(
  url: string,
  init: {
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: Buffer | AsyncIterable<Uint8Array>;
  } = {},
): Promise<Answer> {
  const outgoing = request(url, { method: init.method ?? "GET", headers: init.headers ?? {}, agent: false });
  const answered = once(outgoing, "response") as Promise<[IncomingMessage]>;
  await Promise.race([send(outgoing, init.body), answered]);
  const [incoming] = await answered;
  return { status: incoming.statusCode ?? 0, fields: fieldsOf(incoming), body: await bodyOf(incoming) };
}

async function send(
  outgoing: ReturnType<typeof request>,
  body: Buffer | AsyncIterable<Uint8Array> | undefined,
): Promise<void> {
  if (body === undefined || Buffer.isBuffer(body)) {
    outgoing.end(body);
    return;
  }
  for await (const chunk of body) if (!outgoing.write(chunk)) await once(outgoing, "drain");
  outgoing.end();
}

function fieldsOf(message: IncomingMessage): Fields {
  return message.rawHeaders.flatMap((name, index, all) =>
    index % 2 === 0 ? [[name.toLowerCase(), all[index + 1] ?? ""] as const] : [],
  );
}

export async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

/** All that comes over a connection for one GET, up to its end. */
export async function wireOf(base: string, path: string): Promise<{ readonly head: string; readonly rest: string }> {
  const { hostname, port } = new URL(base);
  const socket = connect(Number(port), hostname);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\n\r\n`);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(socket, "close");
  const all = Buffer.concat(chunks).toString("latin1");
  const end = all.indexOf("\r\n\r\n");
  return { head: all.slice(0, end).toLowerCase(), rest: all.slice(end + 4) };
}

/** An origin that does exactly what a test says, and tells what it was asked. */
export class HandmadeOrigin {
  /** Of the last request. */
  fields: Fields = [];
  answer: (request: IncomingMessage, response: ServerResponse) => void | Promise<void> = (_, response) => {
    response.end();
  };
  readonly #server = createServer((request, response) => {
    this.fields = fieldsOf(request);
    Promise.resolve(this.answer(request, response)).catch((cause: unknown) => {
      console.error("handmade origin:", cause);
      response.destroy();
    });
  });

  constructor() {
    afterAll(() => {
      this.#server.closeAllConnections();
      this.#server.close();
    });
  }

  async start(): Promise<string> {
    await once(this.#server.listen(0, "127.0.0.1"), "listening");
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("a TCP server without a port");
    return `http://127.0.0.1:${address.port}`;
  }
}
