/** Somebody behind the edge who answers as a test says, without a socket, and tells what was asked. */
import { fillEnv } from "./fill-env.ts";

export interface Question {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Headers;
}

/** In the place of a binding that leads to Glance or to Keystone. */
export class Scripted {
  readonly asked: Question[] = [];
  readonly #answer: (question: Question) => Response;

  constructor(answer: (question: Question) => Response) {
    this.#answer = answer;
  }

  async fetch(input: string | Request, init?: RequestInit): Promise<Response> {
    const { method, url, headers } = new Request(input, init);
    const { pathname, search } = new URL(url);
    const question = { method, path: pathname + search, headers };
    this.asked.push(question);
    return this.#answer(question);
  }

  /** As a binding of the Worker's. */
  get binding(): Fetcher {
    return this as unknown as Fetcher;
  }
}

/** A Glance that each Fill made from now on asks as well. @returns the Worker's settings for it */
export function originIs(glance: Scripted): { readonly ORIGIN: Fetcher; readonly ORIGIN_URL: string } {
  const bound = { ORIGIN: glance.binding, ORIGIN_URL: `http://${crypto.randomUUID()}.test` };
  fillEnv.changes = { ...fillEnv.changes, ...bound };
  return bound;
}
