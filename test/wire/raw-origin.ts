/** An origin that answers with bytes as they are, right or wrong, and a client that sends and reads such bytes. */
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { afterAll } from "vitest";

/** Text stands for its UTF-8. */
export type Bytes = string | Buffer;

/** One connection per request. */
export class RawOrigin {
  /** Heads of the requests so far, in Latin-1. */
  readonly requests: string[] = [];
  answer: (head: string) => Bytes = () => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  readonly #server = createServer((socket) => {
    let head = "";
    // The edge may hang up on what it can't read.
    socket.on("error", () => undefined);
    socket.on("data", (data) => {
      const complete = head.includes("\r\n\r\n");
      head += data.toString("latin1");
      if (complete || !head.includes("\r\n\r\n")) return;
      this.requests.push(head);
      socket.end(this.answer(head));
    });
  });

  constructor() {
    afterAll(() => {
      this.#server.close();
    });
  }

  async start(): Promise<string> {
    if (!this.#server.listening) await once(this.#server.listen(0, "127.0.0.1"), "listening");
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("a TCP server without a port");
    return `http://127.0.0.1:${address.port}`;
  }
}

export interface RawAnswer {
  readonly status: number;
  /** In Latin-1, as on the wire. */
  readonly head: string;
  readonly body: string;
}

/** The values of a field of a head, as on the wire. */
export function fieldsOfHead(head: string, name: string): string[] {
  const lines = head.split("\r\n").filter((line) => line.toLowerCase().startsWith(`${name}:`));
  return lines.map((line) => line.slice(name.length + 1).trim());
}

/** Sends one request on a connection of its own and reads to the end of it. @param lines request line and fields */
export async function sendRaw(base: string, ...lines: string[]): Promise<RawAnswer> {
  const { hostname, port } = new URL(base);
  const socket = connect(Number(port), hostname);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.write(Buffer.from(`${lines.join("\r\n")}\r\nConnection: close\r\n\r\n`, "latin1"));
  await once(socket, "close");
  const all = Buffer.concat(chunks).toString("latin1");
  const end = all.indexOf("\r\n\r\n");
  const head = end === -1 ? all : all.slice(0, end);
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]), head, body: all.slice(head.length + 4) };
}
