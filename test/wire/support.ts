/** One edge in front of one demo origin per test file, and what the tests do at the origin without passing the edge. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll } from "vitest";
import { type DemoOrigin, startDemoOrigin } from "../../demo/origin.ts";
import { type EdgeProcess, startEdge } from "../support/node/edge-process.ts";

export interface Image {
  readonly id: string;
  readonly size: number;
  readonly seed: number;
  /** SHA-512, hex, or null for an image without a digest. */
  readonly sha512: string | null;
}

export interface LoggedRequest {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly bytes: number;
  readonly aborted: boolean;
}

/** Waits until `done` says so. @throws Error that names what did not happen in time */
export async function until(what: string, ms: number, done: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + ms; Date.now() < deadline; await sleep(25)) if (await done()) return;
  throw new Error(`${what} took more than ${ms} ms`);
}

/** Starts an edge for all tests of a file. @param originUrl asked when the edge starts */
export function useEdge(originUrl: () => Promise<string>): { readonly process: EdgeProcess } {
  let edge: EdgeProcess | null = null;
  let persist: string | null = null;
  beforeAll(async () => {
    persist = await mkdtemp(join(tmpdir(), "edge-wire-"));
    // Small slices: an image of 3 MiB then has 13 of them.
    edge = await startEdge({ persist, vars: { ORIGIN_URL: await originUrl(), SLICE_BYTES: String(512 * 1024) } });
  });
  afterAll(async () => {
    await edge?.stop();
    if (persist !== null) await rm(persist, { recursive: true });
  });
  return {
    get process() {
      if (edge === null) throw new Error("the edge is not up yet");
      return edge;
    },
  };
}

/** A demo origin for all tests of a file. */
export class Origin {
  #demo: DemoOrigin | null = null;

  constructor() {
    // Vitest ends in the reverse order: the edge that is declared after the origin goes before it.
    afterAll(() => this.#demo?.close());
  }

  async start(): Promise<string> {
    this.#demo ??= await startDemoOrigin();
    return this.#demo.url;
  }

  get url(): string {
    if (this.#demo === null) throw new Error("the demo origin is not up yet");
    return this.#demo.url;
  }

  get controlUrl(): string {
    if (this.#demo === null) throw new Error("the demo origin is not up yet");
    return this.#demo.controlUrl;
  }

  async createImage(options: { readonly size: number; readonly hash?: string }): Promise<Image> {
    const id = crypto.randomUUID();
    const seed = Math.floor(Math.random() * 2 ** 30);
    const response = await this.#control("PUT", `/images/${id}`, { seed, ...options });
    const record = (await response.json()) as { os_hash_value: string | null };
    return { id, size: options.size, seed, sha512: record.os_hash_value };
  }

  async setFaults(image: Image, faults: Readonly<Record<string, unknown>>): Promise<void> {
    await (await this.#control("PUT", `/images/${image.id}/faults`, faults)).arrayBuffer();
  }

  /** What was asked about this image, in order. */
  async requestsFor(image: Image): Promise<LoggedRequest[]> {
    const all = (await (await this.#control("GET", "/requests")).json()) as LoggedRequest[];
    return all.filter((request) => request.path.includes(image.id));
  }

  async #control(method: string, path: string, json?: unknown): Promise<Response> {
    const body = json === undefined ? {} : { body: JSON.stringify(json) };
    const response = await fetch(`${this.controlUrl}/_demo${path}`, { method, ...body });
    if (!response.ok) throw new Error(`[${method}] ${path}: ${response.status} ${await response.text()}`);
    return response;
  }
}

/** The edge's Cache-Status for this image now, asked in a way that fetches nothing. */
export async function cacheStatusOf(edgeUrl: string, image: Image): Promise<string> {
  const response = await fetch(`${edgeUrl}/v2/images/${image.id}/file`, {
    headers: { "x-auth-token": "demo", range: "bytes=0-0", "cache-control": "only-if-cached" },
  });
  await response.arrayBuffer();
  return response.headers.get("cache-status") ?? "";
}

export const HIT = "glance-edge; hit";
/** Of an image that is not stored. */
export const NOT_STORED = "glance-edge; fwd=uri-miss; detail=only-if-cached";

/** Waits until the edge serves the image from its store. */
export async function stored(edgeUrl: string, image: Image): Promise<void> {
  await until("storing the image", 60_000, async () => (await cacheStatusOf(edgeUrl, image)) === HIT);
}
