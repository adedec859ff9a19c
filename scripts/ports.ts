/** TCP ports on this machine. */
import { once } from "node:events";
import { createServer } from "node:net";

/** Whether a server could listen there now. @param host "*": every address. @throws when there is no such address here */
export async function isFree(host: string, port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(host === "*" ? server.listen(port) : server.listen(port, host), "listening");
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "EADDRINUSE" || error.code === "EACCES"))
      return false;
    throw error;
  }
  await once(server.close(), "close");
  return true;
}

/** This port if it's free and no other one's, else 0: any. */
export async function freePort(preferred: number, reserved: number): Promise<number> {
  return preferred !== reserved && (await isFree("127.0.0.1", preferred)) ? preferred : 0;
}

/** Ports that nobody listens on now. Held together until all are known, so that no two are the same. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => {
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("a TCP server without a port");
    return address.port;
  });
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}
