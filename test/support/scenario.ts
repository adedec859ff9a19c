/**
 * One test's view of the world: the edge under test, in this workerd, and the demo origin behind it. Every request of a
 * test carries its mark to the origin, and every request that the origin saw must have been expected: one that was not
 * fails the test.
 */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { afterEach, expect } from "vitest";
import worker from "../../src/index.ts";
import type { Env } from "../../src/settings.ts";
import { bindings, control } from "./env.ts";

export { bindings, control };

export const EDGE_URL = "https://edge.test";

export interface OriginCall {
  readonly method: string;
  readonly path: string;
  readonly range: string | null;
  readonly token: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly status: number;
  readonly bytes: number;
  readonly running: boolean;
}

export interface ImageOptions {
  readonly size: number;
  readonly seed?: number;
  readonly owner?: string;
  readonly visibility?: string;
  readonly tags?: readonly string[];
  readonly properties?: Readonly<Record<string, string>>;
  readonly status?: string;
  readonly hash?: string;
  readonly overrides?: Readonly<Record<string, unknown>>;
}

export interface Image {
  readonly id: string;
  readonly size: number;
  readonly checksum: string | null;
  readonly os_hash_algo: string | null;
  readonly os_hash_value: string | null;
}

export interface Ask extends RequestInit {
  /** X-Auth-Token; null sends none. */
  readonly token?: string | null;
  /** Settings and bindings other than those of the configuration. */
  readonly env?: Partial<Env>;
}

/** A header that goes along with all that the edge asks for a client. */
export const MARK = "traceparent";
let mark = crypto.randomUUID();
let claimed = 0;
const pending: ReturnType<typeof createExecutionContext>[] = [];

afterEach(async () => {
  const unexpected = (await calls()).map(say);
  // The whole log is read for each look at it.
  await control("DELETE", "/requests");
  mark = crypto.randomUUID();
  claimed = 0;
  pending.length = 0;
  expect(unexpected, "calls to the origin that the test did not expect").toEqual([]);
});

/** Sends a request through the edge. What it does in the background is done when the body was read and this settled. */
export async function ask(path: string, { token = "demo", env: other = {}, ...init }: Ask = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (token !== null) headers.set("x-auth-token", token);
  headers.set(MARK, mark);
  const ctx = createExecutionContext();
  const request = new Request(EDGE_URL + path, { ...init, headers }) as Parameters<typeof worker.fetch>[0];
  const response = await worker.fetch(request, { ...bindings, ...other }, ctx);
  pending.push(ctx);
  return response;
}

/** Waits until all that the edge does behind its answers so far is done. */
export async function settled(): Promise<void> {
  await Promise.all(pending.splice(0).map((ctx) => waitOnExecutionContext(ctx)));
}

/** Downloads an image through the edge. */
export async function download(id: string, init: Ask = {}): Promise<Response> {
  return ask(`/v2/images/${id}/file`, init);
}

/** A new image at the origin. */
export async function createImage(options: ImageOptions): Promise<Image> {
  const id = crypto.randomUUID();
  const response = await control("PUT", `/images/${id}`, { seed: Math.floor(Math.random() * 2 ** 30), ...options });
  return response.json();
}

/** What goes wrong with an image at the origin from now on. */
export async function setFaults(id: string, faults: Readonly<Record<string, unknown>>): Promise<void> {
  await (await control("PUT", `/images/${id}/faults`, faults)).body?.cancel();
}

/** For {@link setFaults}: the image is in a store that can't read from the middle, such as Ceph RBD or S3. */
export const NO_RANDOM_ACCESS = { randomAccess: false };

/** Something done at the origin without passing the edge. Not counted as a call. */
export async function atOrigin(path: string, { token = "demo", ...init }: Ask = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (token !== null) headers.set("x-auth-token", token);
  return fetch(bindings.ORIGIN_URL + path, { ...init, headers });
}

/** What the origin's log calls a token, other than the three that everybody knows. */
export async function loggedName(token: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token)));
  return `sha256:${Array.from(digest.subarray(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** The calls of this test to the origin that no expectation has taken yet, in order. */
export async function calls(): Promise<OriginCall[]> {
  const all: OriginCall[] = await (await control("GET", "/requests")).json();
  return all.filter((call) => call.headers[MARK] === mark).slice(claimed);
}

/**
 * Takes the calls since the last expectation, which must be these, in any order: `"GET /path"`, with ` RANGE` behind it
 * for a ranged one. `*` in the front: any number of it, none included. Also allowed is what a fill asks for when the
 * store fell behind and the background went on, which depends on the machine's speed: {@link goesOn}.
 */
export async function expectCalls(...expected: string[]): Promise<OriginCall[]> {
  const seen = await calls();
  claimed += seen.length;
  const any = new Set(expected.filter((line) => line.startsWith("*")).map((line) => line.slice(1)));
  const somewhere = (line: string) => (line.endsWith(` ${PROBE}`) ? line : line.replace(/=[1-9]\d*-$/, "=N-"));
  const counted = seen.map(say).filter((line) => !any.has(line) && !any.has(somewhere(line)));
  expect(counted.sort()).toEqual(expected.filter((line) => !line.startsWith("*")).sort());
  return seen;
}

/** Takes the calls since the last expectation, whatever they are. */
export async function takeCalls(): Promise<OriginCall[]> {
  const seen = await calls();
  claimed += seen.length;
  return seen;
}

/** A call as {@link expectCalls} names it. */
export function say(call: OriginCall): string {
  return `${call.method} ${call.path}${call.range === null ? "" : ` ${call.range}`}`;
}

/** The range that asks for the right to download, and that Glance refuses. v1 knows no ranges. */
export const PROBE = "bytes=9223372036854775806-";
export const PROBE_V1 = "bytes=0-0";

/** The calls of one authorised look at an image: its record and the right to download. */
export function asks(id: string, query = ""): string[] {
  return [`GET /v2/images/${id}`, `GET /v2/images/${id}/file${query} ${PROBE}`];
}

/** The same by the old API. */
export function asksV1(id: string): string[] {
  return [`HEAD /v1/images/${id}`, `GET /v1/images/${id} ${PROBE_V1}`];
}

/** What may follow a first download when the store fell behind: the rest, from some byte on. */
export function goesOn(id: string): string {
  return `*GET /v2/images/${id}/file bytes=N-`;
}

/** Downloads an image and waits until it is in the catalog. */
export async function cacheImage(id: string, token = "demo"): Promise<void> {
  const response = await download(id, { token });
  expect(response.status).toBe(200);
  await response.arrayBuffer();
  await settled();
  await committed(id);
  await expectCalls(...asks(id), `GET /v2/images/${id}/file`, goesOn(id));
}

/** Waits until the image is in the catalog. */
export async function committed(id: string): Promise<void> {
  for (const deadline = Date.now() + 50_000; Date.now() < deadline; await scheduler.wait(50)) {
    if (await isCommitted(id)) return;
  }
  throw new Error(`image ${id} was not committed in time`);
}

export async function isCommitted(id: string): Promise<boolean> {
  const row = await bindings.CATALOG.prepare("SELECT 1 FROM images WHERE image_id = ?").bind(id).first();
  return row !== null;
}

/** The keys of what running fills have in R2. */
export async function storedSlices(prefix = "fills/"): Promise<string[]> {
  const { objects } = await bindings.BUCKET.list({ prefix });
  return objects.map((object) => object.key);
}

/** The image's bytes as the origin has them. */
export async function trueBytes(id: string): Promise<Uint8Array> {
  const response = await atOrigin(`/v2/images/${id}/file`, { token: "admin" });
  return new Uint8Array(await response.arrayBuffer());
}

export async function sha512(bytes: BufferSource): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-512", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
