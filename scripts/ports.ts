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
