/**
 * A way to the origin that takes its time: bytes arrive half a round trip after they were sent, in both directions, and a new
 * connection has to be made first, which takes a whole one. Nothing else about it is slow.
 */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";

export class FarAway {
  readonly url: string;
  readonly #server: Server;
  readonly #sockets: ReadonlySet<Socket>;

  private constructor(url: string, server: Server, sockets: ReadonlySet<Socket>) {
    this.url = url;
    this.#server = server;
    this.#sockets = sockets;
  }

  static async start(origin: string, roundTripMs: number): Promise<FarAway> {
    const { hostname, port } = new URL(origin);
    const sockets = new Set<Socket>();
    const server = createServer((near) => {
      const far = connect({ host: hostname, port: Number(port) });
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(socket);
        socket.setNoDelay(true);
        // A side that breaks takes the other one with it.
        socket.once("error", () => other.destroy());
        socket.once("close", () => {
          sockets.delete(socket);
          // Behind what is still on its way.
          setTimeout(() => other.destroySoon(), roundTripMs);
        });
      }
      // Accepted at once; what a handshake takes the first bytes wait for.
      const readyAt = performance.now() + roundTripMs;
      carry(near, far, roundTripMs / 2, readyAt);
      carry(far, near, roundTripMs / 2, 0);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the far origin has no port");
    return new FarAway(`http://127.0.0.1:${address.port}`, server, sockets);
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** @param readyAt before this moment nothing starts on its way */
function carry(from: Duplex, to: Duplex, delayMs: number, readyAt: number): void {
  const later = (what: () => void) => setTimeout(what, Math.max(0, readyAt - performance.now()) + delayMs);
  from.on("data", (chunk: Buffer) => later(() => to.write(chunk)));
  from.on("end", () => later(() => to.end()));
}
