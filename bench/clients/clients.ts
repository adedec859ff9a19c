/** The clients of a run, in their process (./process.ts), and the check of what they got. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Image } from "../origin.ts";
import { TOKEN } from "../origin.ts";
import type { Downloads, Fetches, Reply } from "./messages.ts";

/** Bytes that are not the image's: the one thing that a bench must fail for. */
class WrongBytes extends Error {
  override readonly name = "WrongBytes";
}

export class Clients {
  readonly #process: ChildProcess;
  #running = false;

  constructor() {
    this.#process = fork(fileURLToPath(new URL("process.ts", import.meta.url)));
  }

  /**
   * Downloads the image with so many clients at once.
   * @param digest compares the SHA-512 of each as well; takes time of its own
   * @throws WrongBytes
   */
  async download(url: string, image: Image, clients: number, digest = false, token = TOKEN): Promise<Downloads> {
    if (this.#running) throw new Error("one run at a time: another one would change its figures");
    this.#running = true;
    const fetches: Fetches = { url, headers: { "x-auth-token": token }, clients, digest };
    const answered = once(this.#process, "message");
    this.#process.send(fetches);
    const [reply] = (await answered) as [Reply];
    this.#running = false;
    if (!reply.ok) throw new WrongBytes(`${url}: ${reply.why}`);
    for (const { status, bytes, sha512 } of reply.fetched) {
      if (status !== 200) throw new WrongBytes(`${url}: status ${status}`);
      if (bytes !== image.size) throw new WrongBytes(`${url}: ${bytes} bytes instead of ${image.size}`);
      if (digest && sha512 !== image.sha512)
        throw new WrongBytes(`${url}: SHA-512 ${sha512} instead of ${image.sha512}`);
    }
    return reply;
  }

  stop(): void {
    this.#process.disconnect();
  }
}
