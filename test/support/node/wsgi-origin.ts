/**
 * An origin that reads a request's framing as a WSGI server may (eventlet/wsgi.py `get_environ`): header names are
 * variables, in which `_` and `-` are one, and so is every other character that is no letter and no digit. It is worse than
 * eventlet where others are: any spelling of Content-Length counts as well, and the last one does. Whatever is left of
 * a connection is its next request. It tells what it was asked, byte by byte.
 */
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";

export interface SeenRequest {
  /** Number of the connection on which it came. */
  readonly connection: number;
  /** As in the request line; empty for bytes that are no request at all. */
  readonly method: string;
  readonly target: string;
  /** Request line and fields, one character for each byte. */
  readonly head: string;
  /** Decoded, one character for each byte. */
  readonly body: string;
  /** False when the connection ended before the body did. */
  readonly whole: boolean;
}

/** Of a request, by the names that a WSGI server makes of them. */
type Variables = ReadonlyMap<string, string>;

export class WsgiOrigin {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #connections = 0;
  #seen: SeenRequest[] = [];

  constructor() {
    this.#server = createServer((socket) => this.#serve(socket));
  }

  /** @returns its URL */
  async start(): Promise<string> {
    await once(this.#server.listen(0, "127.0.0.1"), "listening");
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("a TCP server without a port");
    return `http://127.0.0.1:${address.port}`;
  }

  async close(): Promise<void> {
    const closed = once(this.#server.close(), "close");
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** What it was asked since it was last asked this. */
  takeSeen(): SeenRequest[] {
    return this.#seen.splice(0);
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    const reader = new Reader(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    // Whoever hangs up in the middle shows in `whole`.
    socket.on("error", () => socket.destroy());
    void this.#serveAll(socket, reader).finally(() => socket.destroy());
  }

  async #serveAll(socket: Socket, reader: Reader): Promise<void> {
    const connection = ++this.#connections;
    for (;;) {
      const head = await reader.until("\r\n\r\n");
      if (head === null) return;
      const [line = "", ...fields] = head.split("\r\n");
      const match = /^([A-Z]+) (\S+) HTTP\/1\.[01]$/.exec(line);
      const variables = variablesOf(fields);
      const body = match === null ? { text: "", whole: true } : await readBody(reader, variables);
      const [, method = "", target = ""] = match ?? [];
      this.#seen.push({ connection, method, target, head, body: body.text, whole: body.whole });
      if (!body.whole) return;
      const answer = JSON.stringify({ method, target, mark: variables.get("X_MARK") ?? null });
      const status = match === null ? "400 Bad Request" : "200 OK";
      const end = method === "HEAD" ? "" : answer;
      socket.write(
        `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${answer.length}\r\n\r\n${end}`,
      );
      if (match === null) return;
    }
  }
}

function variablesOf(fields: readonly string[]): Variables {
  return new Map(
    fields.map((field) => {
      const colon = field.indexOf(":");
      const name = field
        .slice(0, colon)
        .trim()
        .toUpperCase()
        .replaceAll(/[^A-Z0-9]/g, "_");
      return [name, field.slice(colon + 1).trim()] as const;
    }),
  );
}

interface Body {
  readonly text: string;
  readonly whole: boolean;
}

async function readBody(reader: Reader, variables: Variables): Promise<Body> {
  if (variables.get("TRANSFER_ENCODING")?.toLowerCase() === "chunked") return readChunks(reader);
  const length = Number.parseInt(variables.get("CONTENT_LENGTH") ?? "0", 10);
  const text = await reader.take(Number.isNaN(length) ? 0 : length);
  return { text: text ?? "", whole: text !== null };
}

async function readChunks(reader: Reader): Promise<Body> {
  for (let text = ""; ; ) {
    const size = Number.parseInt((await reader.until("\r\n")) ?? "", 16);
    if (Number.isNaN(size)) return { text, whole: false };
    const chunk = await reader.take(size);
    // As eventlet, which reads one line behind the last chunk: trailers would be the next request.
    if (chunk === null || (await reader.until("\r\n")) === null) return { text, whole: false };
    if (size === 0) return { text, whole: true };
    text += chunk;
  }
}

/** Reads a connection as text of one character for each byte; null: it ended first. */
class Reader {
  #held = "";
  #ended = false;
  #wake: () => void = () => undefined;

  constructor(socket: Socket) {
    socket.setEncoding("latin1");
    socket.on("data", (data: string) => {
      this.#held += data;
      this.#wake();
    });
    socket.on("close", () => {
      this.#ended = true;
      this.#wake();
    });
    socket.on("end", () => {
      this.#ended = true;
      this.#wake();
    });
  }

  async until(mark: string): Promise<string | null> {
    for (;;) {
      const at = this.#held.indexOf(mark);
      if (at >= 0) return this.#cut(at, mark.length);
      if (!(await this.#more())) return null;
    }
  }

  async take(length: number): Promise<string | null> {
    while (this.#held.length < length) if (!(await this.#more())) return null;
    return this.#cut(length, 0);
  }

  #cut(length: number, drop: number): string {
    const text = this.#held.slice(0, length);
    this.#held = this.#held.slice(length + drop);
    return text;
  }

  async #more(): Promise<boolean> {
    if (this.#ended) return false;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    return true;
  }
}
