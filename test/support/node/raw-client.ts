/** A client that says exactly the bytes that it is given, right or wrong. */
import { connect } from "node:net";

/** How long a connection on which nothing comes is listened to, ms: no answer takes so long on a busy machine. */
const QUIET_MS = 10_000;

export interface Exchange {
  /** All that came, one character for each byte. */
  readonly text: string;
  /** The other side closed the connection; false: it said nothing for so long that it was left. */
  readonly closed: boolean;
}

/**
 * Sends bytes over a connection of its own and listens until the other side closes it, or says nothing more.
 * @param bytes one character for each byte
 */
export function exchange(base: string, bytes: string, quietMs = QUIET_MS): Promise<Exchange> {
  const { hostname, port } = new URL(base);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let text = "";
    let closed = true;
    socket.setEncoding("latin1");
    socket.setTimeout(quietMs);
    socket.on("data", (data: string) => {
      text += data;
    });
    socket.on("timeout", () => {
      closed = false;
      socket.destroy();
    });
    // A server that refuses may reset the connection: what it has said counts.
    socket.on("error", () => socket.destroy());
    socket.on("close", () => resolve({ text, closed }));
    socket.write(bytes, "latin1");
  });
}

/** The status of each answer in what came over a connection. */
export function statusesOf(text: string): number[] {
  return [...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map((match) => Number(match[1]));
}
