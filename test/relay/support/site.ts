/** A site for all tests of a file: clients, a relay, and an uplink on which each byte is counted; beyond it edge and Glance. */
import { createCipheriv, createHash, randomUUID } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, inject } from "vitest";
import { type CountingProxy, type Exchange, startCountingProxy } from "../../openstack/counting-proxy.ts";
import type { StoreKind } from "../../openstack/lib/glance.ts";
import { issueToken } from "../../openstack/lib/keystone.ts";
import { Processes } from "../../openstack/lib/processes.ts";
import { type EdgeProcess, startEdge } from "../../support/node/edge-process.ts";
import { startRelay, tellBalancer } from "./relay.ts";

export const MIB = 1024 * 1024;

export interface Image {
  readonly id: string;
  readonly path: string;
  readonly size: number;
  readonly sha512: string;
}

export interface SiteOptions {
  readonly store: StoreKind;
  /** Whether the relay has a cache (default), or is HAProxy alone. */
  readonly cache?: boolean;
}

const PLACES = 3;
/** How many downloads the relay lets to Glance at a time. */
export const places = PLACES;

export function useSite({ store, cache = true }: SiteOptions): Site {
  const site = new Site(store, cache);
  beforeAll(() => site.start());
  afterAll(() => site.end());
  return site;
}

export class Site {
  readonly #store: StoreKind;
  readonly #cache: boolean;
  readonly directory = mkdtempSync(join(tmpdir(), "glance-edge-site-"));
  readonly #processes = new Processes(this.directory);
  readonly #tokens = new Map<string, Promise<string>>();
  #links: { readonly edge: CountingProxy; readonly glance: CountingProxy } | null = null;
  #edge: EdgeProcess | null = null;
  #onEdgeData: (exchange: Exchange) => void = () => undefined;
  #glanceHeld: Promise<void> = Promise.resolve();
  /** Where the link to the edge ends: another port with each start. */
  readonly #edgeAt = { host: "127.0.0.1", port: 0 };

  constructor(store: StoreKind, cache: boolean) {
    this.#store = store;
    this.#cache = cache;
  }

  /** What clients are told: the relay. */
  readonly url = `http://127.0.0.1:${inject("cloud").relayPort}`;

  get glanceUrl(): string {
    return `http://127.0.0.1:${inject("cloud").glance[this.#store]}`;
  }

  async start(): Promise<void> {
    await this.startEdge();
    const glance = await startCountingProxy({
      origin: hostAndPort(this.glanceUrl),
      port: 0,
      countsPort: 0,
      untilBody: ({ path }) => (isDownload(path) ? this.#glanceHeld : Promise.resolve()),
    });
    const edge = await startCountingProxy({
      origin: this.#edgeAt,
      port: 0,
      countsPort: 0,
      onData: (exchange) => this.#onEdgeData(exchange),
    });
    this.#links = { edge, glance };
    const options = {
      port: inject("cloud").relayPort,
      edge: new URL(edge.url).host,
      glance: new URL(glance.url).host,
      places: PLACES,
      cache: this.#cache,
    };
    await startRelay(this.#processes, join(this.directory, "relay"), options).catch((cause: unknown) => {
      throw new Error(`the relay is not up:\n${this.#processes.tails()}`, { cause });
    });
  }

  async end(): Promise<void> {
    await this.#processes.endAll();
    await this.#links?.edge.close();
    await this.#links?.glance.close();
    await this.#edge?.stop();
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 3 });
  }

  async startEdge(): Promise<void> {
    const vars = { ORIGIN_URL: this.glanceUrl, KEYSTONE_URL: inject("cloud").keystoneUrl };
    this.#edge = await startEdge({ persist: join(this.directory, "edge"), vars });
    Object.assign(this.#edgeAt, hostAndPort(this.#edge.url));
  }

  async killEdge(): Promise<void> {
    await this.#edge?.kill();
  }

  /** Kills the edge once so many bytes of an image have come from it. What is under way on loopback then, some MiB, still comes. */
  killEdgeAfter(bytes: number): Promise<void> {
    return this.afterFromEdge(bytes, () => this.killEdge());
  }

  /** Does something once so many bytes of an image have come from the edge. */
  afterFromEdge(bytes: number, act: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onEdgeData = (exchange) => {
        if (exchange.bytes < bytes) return;
        this.#onEdgeData = () => undefined;
        act().then(resolve, reject);
      };
    });
  }

  /** Downloads from Glance wait before their first byte until the returned function is called. */
  holdGlance(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#glanceHeld = promise;
    return resolve;
  }

  /** Tells the balancer what its operator would. @throws Error when it refuses */
  tellBalancer(commands: string): Promise<void> {
    return tellBalancer(join(this.directory, "relay"), commands);
  }

  /** Waits until the relay sends downloads to the edge again. */
  async untilEdgeServes(): Promise<void> {
    const { path } = await this.makeImage(1);
    const token = await this.tokenOf("demo");
    await until("the edge's return", 30, async () => {
      const response = await fetch(this.url + path, { method: "HEAD", headers: { "x-auth-token": token } });
      return response.headers.has("cache-status");
    });
  }

  /** Changes one byte of the image in Glance's store. */
  damage({ id, size }: Image): void {
    const file = openSync(join(inject("cloud").images[this.#store], id), "r+");
    writeSync(file, "x", Math.floor(size / 2));
    closeSync(file);
  }

  /** Takes the cache's directory away: as a disk that is full, it takes nothing more. */
  loseDisk(): void {
    const disk = join(this.directory, "relay/cache");
    rmSync(disk, { recursive: true });
    writeFileSync(disk, "");
  }

  killCache(): void {
    process.kill(Number(readFileSync(join(this.directory, "relay/nginx.pid"), "utf8")), "SIGTERM");
  }

  tokenOf(user: string): Promise<string> {
    const token = this.#tokens.get(user) ?? issueToken(inject("cloud").keystoneUrl, user);
    this.#tokens.set(user, token);
    return token;
  }

  /** The id of the project that a user works in. */
  async projectOf(user: string): Promise<string> {
    const token = await this.tokenOf(user);
    const headers = { "x-auth-token": token, "x-subject-token": token };
    const response = await fetch(`${inject("cloud").keystoneUrl}/auth/tokens`, { headers });
    return ((await response.json()) as { token: { project: { id: string } } }).token.project.id;
  }

  /** A private image of demo's, made at Glance itself. @param size null: without data, so that it stays queued */
  async makeImage(size: number | null): Promise<Image> {
    const id = randomUUID();
    const record = { id, name: id, disk_format: "raw", container_format: "bare", visibility: "private" };
    await this.atGlance("POST", "/v2/images", "demo", "application/json", JSON.stringify(record));
    const bytes = content(id, size ?? 0);
    const path = `/v2/images/${id}/file`;
    if (size !== null) await this.atGlance("PUT", path, "demo", "application/octet-stream", bytes);
    return { id, path, size: bytes.length, sha512: createHash("sha512").update(bytes).digest("hex") };
  }

  /** @throws Error when Glance refuses */
  async atGlance(method: string, path: string, user: string, type?: string, body?: BodyInit): Promise<void> {
    const headers = {
      "x-auth-token": await this.tokenOf(user),
      ...(type === undefined ? {} : { "content-type": type }),
    };
    const response = await fetch(this.glanceUrl + path, { method, headers, body: body ?? null });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    await response.body?.cancel();
  }

  /** Body bytes that came over the uplink since {@link forget}, from the edge and from Glance; not HAProxy's own checks. */
  async uplink(): Promise<{ readonly edge: number; readonly glance: number }> {
    const sum = (all: readonly Exchange[]) =>
      all.reduce((bytes, exchange) => (exchange.path === "/edge/ready" ? bytes : bytes + exchange.bytes), 0);
    return { edge: sum(await this.exchanges("edge")), glance: sum(await this.exchanges("glance")) };
  }

  async exchanges(link: "edge" | "glance"): Promise<Exchange[]> {
    if (this.#links === null) throw new Error("the site is not up yet");
    return (await (await fetch(this.#links[link].countsUrl)).json()) as Exchange[];
  }

  /** Downloads that Glance has at the moment. */
  async downloadsAtGlance(): Promise<number> {
    return (await this.exchanges("glance")).filter(({ path, ended }) => isDownload(path) && !ended).length;
  }

  async forget(): Promise<void> {
    for (const link of [this.#links?.edge, this.#links?.glance]) {
      if (link !== undefined) await (await fetch(link.countsUrl, { method: "DELETE" })).body?.cancel();
    }
  }
}

/** Waits until `done` says so. @throws Error that names what did not happen in time */
export async function until(what: string, seconds: number, done: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + seconds * 1000; Date.now() < deadline; await sleep(25)) if (await done()) return;
  throw new Error(`${what} took more than ${seconds} s`);
}

/** Bytes that look random and are the same for the same seed: AES-CTR's key stream. */
export function content(seed: string, bytes: number): Buffer<ArrayBuffer> {
  const key = createHash("sha256").update(seed).digest().subarray(0, 16);
  return Buffer.from(createCipheriv("aes-128-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(bytes)));
}

function isDownload(path: string): boolean {
  return path.endsWith("/file");
}

function hostAndPort(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}
