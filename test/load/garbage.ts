/**
 * Has the isolates of a workerd collect their garbage. V8 does so when its own heap fills up, and knows little of the memory
 * outside of it that small objects hold: a bare Worker that only forwards holds 16 KiB for each request until then.
 */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

const COLLECTED_MS = 1_000;

interface Target {
  readonly webSocketDebuggerUrl: string;
}

export class Garbage {
  readonly #sockets: readonly WebSocket[];

  private constructor(sockets: readonly WebSocket[]) {
    this.#sockets = sockets;
  }

  static async of({ host }: URL): Promise<Garbage> {
    const targets = (await (await fetch(`http://${host}/json`)).json()) as Target[];
    const sockets = targets.map(({ webSocketDebuggerUrl }) => new WebSocket(webSocketDebuggerUrl));
    await Promise.all(sockets.map((socket) => once(socket, "open")));
    return new Garbage(sockets);
  }

  /** Asks for it; it is done within the second. No answer is waited for: while an isolate does nothing it gives none. */
  async collect(): Promise<void> {
    for (const socket of this.#sockets) socket.send(JSON.stringify({ id: 1, method: "HeapProfiler.collectGarbage" }));
    await sleep(COLLECTED_MS);
  }

  end(): void {
    for (const socket of this.#sockets) socket.close();
  }
}
