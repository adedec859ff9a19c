/** The cloud that main.ts brought up, as the suite uses it: its users, and images made in it. */
import assert from "node:assert/strict";
import { createCipheriv, createHash, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Exchange } from "../counting-proxy.ts";
import { issueToken } from "../lib/keystone.ts";
import { COUNTS, EDGE, GLANCE, KEYSTONE, readsAtRandom, withoutEdge } from "./addresses.ts";
import { curl, field } from "./clients.ts";

/** `barred` sees what demo sees, and Glance's policy refuses it the data; `edge` is a member of a project of its own. */
export type User = "admin" | "demo" | "other" | "barred" | "edge";
const tokens = new Map<User, Promise<string>>();

export function tokenOf(user: User): Promise<string> {
  const token = tokens.get(user) ?? issueToken(KEYSTONE, user);
  tokens.set(user, token);
  return token;
}

const projects = new Map<User, Promise<string>>();

/** The id of the project that the user works in. */
export function projectIdOf(user: User): Promise<string> {
  const id = projects.get(user) ?? askProject(user);
  projects.set(user, id);
  return id;
}

async function askProject(user: User): Promise<string> {
  const token = await tokenOf(user);
  const headers = { "x-auth-token": token, "x-subject-token": token };
  const response = await fetch(`${KEYSTONE}/auth/tokens`, { headers });
  const { token: said } = (await response.json()) as { token: { project: { id: string } } };
  return said.project.id;
}

/** Bytes that look random and are the same for the same seed: AES-CTR's key stream. */
export function* content(seed: string, bytes: number): Generator<Buffer> {
  const key = createHash("sha256").update(seed).digest();
  const stream = createCipheriv("aes-128-ctr", key.subarray(0, 16), Buffer.alloc(16));
  const zeros = Buffer.alloc(1024 * 1024);
  for (let left = bytes; left > 0; left -= zeros.length) yield stream.update(zeros.subarray(0, left));
}

export interface Image {
  readonly id: string;
  readonly bytes: Buffer;
}

/** An active raw image of demo's, made at Glance itself, so that only the downloads of a test go through the edge. */
export async function makeImage(options: { size: number; visibility?: string }): Promise<Image> {
  const id = await makeImageWithoutData(options.visibility);
  const bytes = Buffer.concat([...content(id, options.size)]);
  await atGlance("PUT", `/v2/images/${id}/file`, await tokenOf("demo"), "application/octet-stream", bytes);
  return { id, bytes };
}

/** As {@link makeImage}, but nothing is uploaded: it stays in status `queued`. @returns its id */
export async function makeImageWithoutData(visibility = "private"): Promise<string> {
  const id = randomUUID();
  const record = { id, name: id, disk_format: "raw", container_format: "bare", visibility };
  await atGlance("POST", "/v2/images", await tokenOf("demo"), "application/json", JSON.stringify(record));
  return id;
}

/** A request to Glance itself, past the edge. @throws Error when Glance refuses */
export async function atGlance(
  method: string,
  path: string,
  token: string,
  type = "application/json",
  body: BodyInit | null = null,
): Promise<void> {
  const headers = { "x-auth-token": token, "content-type": type };
  const response = await fetch(GLANCE + path, { method, headers, body });
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${await response.text()}`);
}

export function filePath(id: string): string {
  return `/v2/images/${id}/file`;
}

/** The edge's own member of Cache-Status (RFC 9211). */
export function cacheStatus(headers: readonly (readonly [string, string])[]): string {
  return field(headers, "cache-status") ?? "";
}

/**
 * Downloads the image once and waits until it is a hit, which is a moment later: what was stored is read back and
 * verified first.
 */
export async function store(id: string, seconds = 30): Promise<void> {
  const token = await tokenOf("demo");
  const first = await curl(EDGE + filePath(id), { token });
  assert.equal(first.status, 200);
  await untilHit(id, seconds);
}

/** Waits until a one-byte download is a hit. Without an edge there is nothing to wait for. */
export async function untilHit(id: string, seconds: number): Promise<void> {
  if (withoutEdge !== false) return;
  const token = await tokenOf("demo");
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const one = await curl(EDGE + filePath(id), { token, headers: ["Range: bytes=0-0"] });
    // Until it is stored the range is Glance's own.
    const expected = readsAtRandom ? [206] : [206, 400];
    assert.ok(expected.includes(one.status), `${one.status} ${one.body.toString()}`);
    const status = cacheStatus(one.headers);
    if (status === "glance-edge; hit") return;
    assert.ok(Date.now() < deadline, `not stored within ${seconds} s: Cache-Status: ${status}`);
    await sleep(200);
  }
}

export async function forgetCounts(): Promise<void> {
  const response = await fetch(COUNTS, { method: "DELETE" });
  await response.body?.cancel();
}

/** What Glance was asked since {@link forgetCounts}, once all of it has ended. */
export async function counts(): Promise<Exchange[]> {
  for (let tries = 0; tries < 100; tries++) {
    const response = await fetch(COUNTS);
    const exchanges = (await response.json()) as Exchange[];
    if (exchanges.every((exchange) => exchange.ended)) return exchanges;
    await sleep(50);
  }
  throw new Error("a request to Glance is still running after 5 s");
}

/** Body bytes of image data that came from Glance since {@link forgetCounts}. */
export async function imageBytesFromGlance(): Promise<number> {
  const downloads = (await counts()).filter(({ method, path }) => method === "GET" && path.endsWith("/file"));
  return downloads.reduce((sum, { bytes, status }) => sum + (status < 300 ? bytes : 0), 0);
}

export function sha512(bytes: Buffer): string {
  return createHash("sha512").update(bytes).digest("hex");
}
