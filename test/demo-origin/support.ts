/** One demo origin per test file, and a namespace of its own for each test. */
import { afterAll, beforeAll } from "vitest";
import { type DemoOrigin, type DemoOriginOptions, startDemoOrigin } from "../../demo/origin.ts";

export const IMAGE_ID = "11111111-1111-4111-8111-111111111111";

let running: DemoOrigin | null = null;

function demoOrigin(): DemoOrigin {
  if (running === null) throw new Error("the demo origin is not up yet");
  return running;
}

/** @returns gives a fresh namespace's URL */
export function useDemoOrigin(options: DemoOriginOptions = {}): () => string {
  let count = 0;
  beforeAll(async () => {
    running = await startDemoOrigin(options);
  });
  afterAll(async () => {
    await running?.close();
    running = null;
  });
  return () => `${demoOrigin().url}/t/n${count++}`;
}

/** The control of a namespace. */
export function controlOf(namespace: string): string {
  return `${namespace.replace(demoOrigin().url, demoOrigin().controlUrl)}/_demo`;
}

export interface Asked {
  readonly method?: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
}

/** A request with the token `demo` unless another is given. */
export function ask(url: string, asked: Asked = {}): Promise<Response> {
  return fetch(url, {
    method: asked.method ?? "GET",
    headers: { "x-auth-token": asked.token ?? "demo", ...asked.headers },
    ...(asked.json === undefined ? {} : { body: JSON.stringify(asked.json) }),
  });
}

export async function put(url: string, json: unknown): Promise<Readonly<Record<string, unknown>>> {
  const response = await ask(url, { method: "PUT", json });
  const text = await response.text();
  if (!response.ok) throw new Error(`[PUT] ${url}: ${response.status} ${text}`);
  return text === "" ? {} : JSON.parse(text);
}

export async function bytesOf(response: Response): Promise<Uint8Array> {
  return new Uint8Array(await response.arrayBuffer());
}

export interface Logged {
  readonly method: string;
  readonly path: string;
  readonly range: string | null;
  readonly token: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly status: number;
  readonly bytes: number;
  readonly aborted: boolean;
}

export async function requestsOf(base: string): Promise<Logged[]> {
  const response = await ask(`${controlOf(base)}/requests`);
  return (await response.json()) as Logged[];
}
