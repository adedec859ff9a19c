/** One request, as OpenStack's clients make it, whose answer is read within bounds. */
import { readText } from "../../src/http/read-text.ts";

/** A page of a thousand images is some MB. */
const MAX_BYTES = 32 * 2 ** 20;
const ANSWER_MS = 30_000;
/** What bot protection judges: the name of the client that Nova and Cinder use. */
const USER_AGENT = "python-glanceclient";

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** Nobody answered, or not to the end. Its message is for people. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
}

/** @throws NoAnswer */
export async function ask(url: string, init: Ask = {}): Promise<Reply> {
  const response = await open(url, init, AbortSignal.timeout(ANSWER_MS));
  try {
    return {
      status: response.status,
      headers: response.headers,
      text: await readText(response, url, MAX_BYTES, ANSWER_MS),
    };
  } catch (cause) {
    throw new NoAnswer(`the answer broke off: ${reasonOf(cause)}`, { cause });
  }
}

/** The same with the body left to be read. @throws NoAnswer */
export async function open(
  url: string,
  { method = "GET", headers, json }: Ask,
  signal: AbortSignal,
): Promise<Response> {
  const fields = { "user-agent": USER_AGENT, accept: "*/*", "accept-encoding": "identity", ...headers };
  const body = json === undefined ? {} : { body: JSON.stringify(json) };
  const type = json === undefined ? {} : { "content-type": "application/json" };
  try {
    return await fetch(url, { method, headers: { ...fields, ...type }, ...body, redirect: "manual", signal });
  } catch (cause) {
    throw new NoAnswer(reasonOf(cause), { cause });
  }
}

/** Node says "fetch failed", and why in the cause. */
export function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  if (cause.name === "TimeoutError") return `no answer within ${ANSWER_MS / 1000} s`;
  if (!(cause.cause instanceof Error)) return cause.message;
  const { code, message } = cause.cause as NodeJS.ErrnoException;
  const certificate = /CERT|SIGNATURE|ISSUER/.test(code ?? "");
  return `${message || code}${certificate ? " (a CA of your own: NODE_EXTRA_CA_CERTS=FILE)" : ""}`;
}
