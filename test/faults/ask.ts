/** One request of a client to the edge, over a socket of its own, and how it ended. */
import { type ClientRequest, type IncomingMessage, request } from "node:http";

export interface AskOptions {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Hangs up once it has so many bytes. */
  readonly leaveAfter?: number;
  /** Gives up after so long, ms. */
  readonly patience: number;
}

export interface Answered {
  /** 0: there was no answer. */
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly bytes: Buffer;
  readonly ended: Ending;
  /** When it was asked, ms since the epoch, and how long it took. */
  readonly at: number;
  readonly ms: number;
}

type Ending =
  /** By itself, with all bytes that its length says. */
  | "well"
  /** It broke off, or there was no answer. */
  | "cut"
  | "left"
  /** Nothing came for longer than may be. */
  | "hung";

/** Never rejects. */
export function ask(url: string, options: AskOptions): Promise<Answered> {
  const { method, path, headers, leaveAfter, patience } = options;
  const began = Date.now();
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let got = 0;
    let response: IncomingMessage | null = null;
    let sending: ClientRequest | null = null;
    const end = (ended: Ending) => {
      clearTimeout(timer);
      resolve({
        status: response?.statusCode ?? 0,
        headers: response?.headers ?? {},
        bytes: Buffer.concat(chunks),
        ended,
        at: began,
        ms: Date.now() - began,
      });
      if (ended !== "well") sending?.destroy();
    };
    const timer = setTimeout(() => end("hung"), patience);
    sending = request(new URL(path, url), { method, headers, agent: false }, (answer) => {
      response = answer;
      answer.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        got += chunk.length;
        if (leaveAfter !== undefined && got >= leaveAfter) end("left");
      });
      // An answer that breaks off ends with an error, or with `aborted`, never with `end`.
      answer.on("end", () => end(answer.complete ? "well" : "cut"));
      answer.on("error", () => end("cut"));
      answer.on("aborted", () => end("cut"));
    });
    sending.on("error", () => end("cut"));
    sending.end();
  });
}
