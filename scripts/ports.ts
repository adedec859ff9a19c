/** TCP ports on this machine. */
import { once } from "node:events";
import { createServer } from "node:net";

/** Whether a server could listen there now. @throws when the address itself is wrong */
export async function isFree(host: string, port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, host), "listening");
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "EADDRINUSE" || error.code === "EACCES"))
      return false;
    throw error;
  }
  await once(server.close(), "close");
  return true;
}

/** This port if it's free, else 0: any. */
export async function freePort(preferred: number): Promise<number> {
  return (await isFree("127.0.0.1", preferred)) ? preferred : 0;
}
