/** One demo origin per test file, and a namespace of its own for each test. */
import { afterAll, beforeAll } from "vitest";
import { type DemoOrigin, startDemoOrigin } from "../../demo/origin.ts";

export const IMAGE_ID = "11111111-1111-4111-8111-111111111111";

/** @returns gives a fresh namespace's URL */
export function useDemoOrigin(): () => string {
  let origin: DemoOrigin | null = null;
  let count = 0;
  beforeAll(async () => {
    origin = await startDemoOrigin();
  });
  afterAll(async () => {
    await origin?.close();
  });
  return () => {
    if (origin === null) throw new Error("the demo origin is not up yet");
    return origin.namespace(`n${count++}`);
  };
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
  const response = await ask(`${base}/_demo/requests`);
  return (await response.json()) as Logged[];
}
