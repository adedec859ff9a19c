/** A link between clients and an edge, of which a test can say when it breaks and which edge it leads to. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export class Link {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #target: URL;
  /** Bytes of an answer after which its connection breaks, one for each connection from now on. */
  #breaks: number[] = [];
  #onBreak: () => Promise<void> = async () => undefined;
  /** What the last break brought about: who connects meanwhile waits for it. */
  #broken: Promise<void> = Promise.resolve();

  /** @param target an edge's URL */
  static async to(target: string): Promise<Link> {
    const link = new Link(new URL(target));
    link.#server.listen(0, "127.0.0.1");
    await once(link.#server, "listening");
    return link;
  }

  private constructor(target: URL) {
    this.#target = target;
    this.#server = createServer((client) => {
      this.#sockets.add(client);
      client.on("error", () => undefined);
      void this.#broken.then(() => this.#join(client));
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  leadTo(target: string): void {
    this.#target = new URL(target);
  }

  /**
   * @param after bytes, one for each of the next connections. @param then what happens at each break, before the client knows
   */
  breakNext(after: readonly number[], then: () => Promise<void> = async () => undefined): void {
    this.#breaks = [...after];
    this.#onBreak = then;
  }

  /** Whether all the breaks have come. */
  get hasBroken(): boolean {
    return this.#breaks.length === 0;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #join(client: Socket): void {
    if (client.destroyed) return;
    const edge = connect(Number(this.#target.port), this.#target.hostname);
    let left = this.#breaks.shift() ?? Number.POSITIVE_INFINITY;
    for (const socket of [client, edge]) {
      this.#sockets.add(socket);
      // Its other end is told by `close`.
      socket.on("error", () => undefined);
      socket.on("close", () => {
        this.#sockets.delete(socket);
        if (left > 0) (socket === client ? edge : client).destroy();
      });
    }
    client.pipe(edge);
    edge.on("data", (bytes: Buffer) => {
      if (left <= 0) return;
      const part = bytes.subarray(0, left);
      left -= part.byteLength;
      if (!client.write(part)) {
        edge.pause();
        client.once("drain", () => edge.resume());
      }
      if (left > 0) return;
      edge.destroy();
      this.#broken = this.#onBreak().then(() => {
        client.destroy();
      });
    });
  }
}
