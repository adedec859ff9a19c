/**
 * One client: a connection that is kept, as real clients keep theirs, and answers of which each byte is compared with the
 * image's own on arrival. That says more than a digest of the whole, also of a range, and takes a tenth of its CPU.
 */
import { Agent, type IncomingMessage, request } from "node:http";
import type { Image } from "../../bench/origin.ts";
import { fillVirtualBytes } from "../../demo/content/virtual-bytes.ts";

/** Nothing at all for so long is a hang. */
const SILENCE_MS = 120_000;

/** What no client may see under load. */
class Fault extends Error {
  override readonly name = "Fault";
}

export interface SeededImage extends Image {
  readonly seed: number;
}

export interface Read {
  readonly status: number;
  readonly cacheStatus: string;
  /** Of the body, all of them right. */
  readonly bytes: number;
}

interface Call {
  readonly method?: string;
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Clients read one piece at a time: all can compare in the same memory. */
const expected = Buffer.alloc(2 ** 20);

export class Client {
  readonly #url: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(url: string) {
    this.#url = url;
  }

  /** One request whose answer is small. @throws Fault for another status than the one that is due */
  async ask(path: string, due: number, call: Call = {}): Promise<string> {
    const incoming = await this.#begin(path, call);
    const pieces: Buffer[] = [];
    for await (const piece of incoming as AsyncIterable<Buffer>) pieces.push(piece);
    const text = Buffer.concat(pieces).toString();
    if (incoming.statusCode === due) return text;
    throw new Fault(`${call.method ?? "GET"} ${path}: ${incoming.statusCode}, not ${due}: ${text.slice(0, 200)}`);
  }

  /**
   * The bytes of an image from one to before another.
   * @param leaveAfter hangs up when so many have come
   * @throws Fault for a wrong byte, status or length, and for a cut
   */
  async read(image: SeededImage, from = 0, to = image.size, leaveAfter = Number.POSITIVE_INFINITY): Promise<Read> {
    const whole = from === 0 && to === image.size;
    const path = `/v2/images/${image.id}/file`;
    const incoming = await this.#begin(path, whole ? {} : { headers: { range: `bytes=${from}-${to - 1}` } });
    const where = `${path} from ${from} to ${to}`;
    const cacheStatus = String(incoming.headers["cache-status"] ?? "");
    const status = incoming.statusCode ?? 0;
    if (status !== (whole ? 200 : 206)) {
      incoming.destroy();
      throw new Fault(`${where}: ${status}, ${cacheStatus}`);
    }
    let bytes = 0;
    try {
      for await (const piece of incoming as AsyncIterable<Buffer>) {
        const due = expected.subarray(0, piece.length);
        fillVirtualBytes(due, image.seed, from + bytes);
        if (!piece.equals(due)) throw new Fault(`${where}: wrong bytes behind ${bytes}, ${cacheStatus}`);
        bytes += piece.length;
        // Leaving the loop hangs up.
        if (bytes >= leaveAfter) return { status, cacheStatus, bytes };
      }
    } catch (cause) {
      if (cause instanceof Fault) throw cause;
      throw new Fault(`${where}: cut after ${bytes}, ${cacheStatus}`, { cause });
    }
    if (bytes !== to - from) throw new Fault(`${where}: ${bytes} bytes, ${cacheStatus}`);
    return { status, cacheStatus, bytes };
  }

  end(): void {
    this.#agent.destroy();
  }

  #begin(path: string, { method = "GET", token = "demo", headers = {} }: Call): Promise<IncomingMessage> {
    const auth = token === null ? {} : { "x-auth-token": token };
    return new Promise((resolve, reject) => {
      const outgoing = request(
        this.#url + path,
        { method, agent: this.#agent, headers: { ...auth, ...headers }, timeout: SILENCE_MS },
        resolve,
      );
      outgoing.once("timeout", () => outgoing.destroy(new Error(`no byte in ${SILENCE_MS / 1000} s`)));
      outgoing.once("error", (cause) => reject(new Fault(`${method} ${path}: ${cause.message}`, { cause })));
      outgoing.end();
    });
  }
}
