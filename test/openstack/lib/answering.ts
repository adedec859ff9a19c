/** Free ports, and waiting for a program to answer on one. */
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

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

/**
 * Waits until the URL gives any answer.
 * @param died rejects when the program that should answer has ended
 * @throws Error when it does not answer in time, or died
 */
export async function untilAnswers(url: string, died: Promise<never>, seconds: number): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const answered = fetch(url, { signal: AbortSignal.timeout(10_000) }).then(
      async (response) => {
        await response.body?.cancel();
        return true;
      },
      () => false, // Not listening yet, which is what is waited for.
    );
    if (await Promise.race([answered, died])) return;
    if (Date.now() > deadline) throw new Error(`${url} did not answer within ${seconds} s`);
    await Promise.race([sleep(100), died]);
  }
}
