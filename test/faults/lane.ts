/** One edge that runs share or that one has for itself: a workerd with R2, D1 and Fills, and what it was told of each image. */
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EdgeProcess, startEdge } from "../support/node/edge-process.ts";
import type { Held, Registration, Sums, Tampering } from "./injection.ts";
import { OBJECT_MAX_BYTES, SLICE_BYTES } from "./plan.ts";

/** In memory where there is such a place: a disk would be most of what runs wait for. */
const STORES = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
const PING_MS = 200;
/** How long they are remembered: longer than any run takes. */
const PINGS_MS = 300_000;
/** Lines that are kept of an image, for who looks for the reason of a failure. */
const LINES = 300;
const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/** `CLEAN_STALL_SECONDS` is above what a run waits for a fill that broke. */
const VARS = {
  SLICE_BYTES: String(SLICE_BYTES),
  OBJECT_MAX_BYTES: String(OBJECT_MAX_BYTES),
  STALL_SECONDS: "4",
  CACHE_MAX_BYTES: String(2 ** 34),
  CLEAN_STALL_SECONDS: "120",
  PREFETCH_CONCURRENCY: "32",
  SERVER_TIMING: "0",
};

export class Lane {
  readonly #script: string;
  readonly #originUrl: string;
  readonly #persist: string;
  readonly #told = new Map<string, Registration>();
  readonly #lines = new Map<string, string[]>();
  #edge: EdgeProcess | null = null;
  #ready: Promise<void> = Promise.resolve();
  #starts = 0;
  #pings: { readonly at: number; readonly ms: number }[] = [];
  #pinging: NodeJS.Timeout | null = null;
  #ahead = 0;
  #d1Away = false;
  #cleaning: Promise<unknown> | null = null;
  #cleanNext: Promise<unknown> | null = null;

  static async start(script: string, originUrl: string): Promise<Lane> {
    const lane = new Lane(script, originUrl, await mkdtemp(join(STORES, "edge-faults-")));
    await lane.#start();
    lane.#pinging = setInterval(() => void lane.#ping(), PING_MS);
    return lane;
  }

  private constructor(script: string, originUrl: string, persist: string) {
    this.#script = script;
    this.#originUrl = originUrl;
    this.#persist = persist;
  }

  /** Without a trailing slash. @throws while it is not there */
  get url(): string {
    if (this.#edge === null) throw new Error("the edge is being started");
    return this.#edge.url;
  }

  /** How long the slowest of its answers to a ping took since then, ms: above what a machine in good order needs it was too busy. */
  slowestSince(at: number): number {
    return Math.max(0, ...this.#pings.filter((ping) => ping.at + ping.ms >= at).map(({ ms }) => ms));
  }

  /** What it has logged of an image. */
  linesOf(imageId: string): readonly string[] {
    return this.#lines.get(imageId) ?? [];
  }

  async tell(imageId: string, registration: Registration): Promise<void> {
    this.#told.set(imageId, registration);
    this.#lines.set(imageId, []);
    await this.#control("PUT", `/harms/${imageId}`, registration);
  }

  async endHarms(imageId: string): Promise<void> {
    this.#told.set(imageId, { injections: [], settings: {} });
    await this.#control("DELETE", `/harms/${imageId}`);
  }

  async forget(imageId: string): Promise<void> {
    this.#told.delete(imageId);
    this.#lines.delete(imageId);
    await this.#control("DELETE", `/image/${imageId}`);
  }

  async held(imageId: string): Promise<Held> {
    return (await this.#control("GET", `/held/${imageId}`)).json() as Promise<Held>;
  }

  async digests(imageId: string): Promise<Held> {
    return (await this.#control("GET", `/digests/${imageId}`)).json() as Promise<Held>;
  }

  async tamper(imageId: string, tampering: Tampering): Promise<boolean> {
    return (await this.#control("POST", `/tamper/${imageId}`, tampering)).json() as Promise<boolean>;
  }

  async reset(imageId: string): Promise<void> {
    await this.#control("POST", `/reset/${imageId}`);
  }

  /** Deletes the image at the origin, through the edge. @returns the answer's status */
  async remove(imageId: string): Promise<number> {
    const response = await fetch(`${this.url}/v2/images/${imageId}`, {
      method: "DELETE",
      headers: { "x-auth-token": "admin" },
    });
    await response.body?.cancel();
    return response.status;
  }

  async setD1Away(away: boolean): Promise<void> {
    this.#d1Away = away;
    await this.#control("PUT", "/d1-away", away);
  }

  /** All rows of all tables go. */
  async emptyD1(): Promise<void> {
    await this.#control("POST", "/empty");
  }

  async jump(ms: number): Promise<void> {
    this.#ahead += ms;
    await this.#control("POST", "/jump", ms);
  }

  /** A clean of the whole store that begins after this was asked. */
  clean(): Promise<unknown> {
    this.#cleanNext ??= (this.#cleaning ?? Promise.resolve()).then(() => {
      this.#cleanNext = null;
      this.#cleaning = this.#clean().finally(() => {
        this.#cleaning = null;
      });
      return this.#cleaning;
    });
    return this.#cleanNext;
  }

  /** What the whole store has that is none of a run's: nothing, when none is under way. */
  async sums(): Promise<Sums> {
    return (await this.#control("GET", "/sums")).json() as Promise<Sums>;
  }

  /** As a crash; then it is started again, and told what it was told before. */
  kill(): Promise<void> {
    // One after the other.
    this.#ready = this.#ready.then(() => this.#restart());
    return this.#ready;
  }

  async end(): Promise<void> {
    clearInterval(this.#pinging ?? undefined);
    await this.#edge?.stop();
    await rm(this.#persist, { recursive: true, force: true });
  }

  async #ping(): Promise<void> {
    const at = Date.now();
    // One that is killed does not answer, and is not slow.
    const answered = await this.#send("GET", "/ping").then(
      () => true,
      () => false,
    );
    if (answered) this.#pings.push({ at, ms: Date.now() - at });
    this.#pings = this.#pings.filter((ping) => at - ping.at < PINGS_MS);
  }

  async #clean(): Promise<unknown> {
    return (await this.#control("POST", "/clean")).json();
  }

  async #restart(): Promise<void> {
    const edge = this.#edge;
    this.#edge = null;
    await edge?.kill();
    await this.#start();
    if (this.#ahead > 0) await this.#send("POST", "/jump", this.#ahead);
    if (this.#d1Away) await this.#send("PUT", "/d1-away", true);
    for (const [imageId, registration] of this.#told) await this.#send("PUT", `/harms/${imageId}`, registration);
  }

  async #start(): Promise<void> {
    this.#edge = await startEdge({
      persist: this.#persist,
      vars: { ...VARS, ORIGIN_URL: this.#originUrl },
      script: this.#script,
      onLog: (line) => this.#log(line),
    });
    this.#starts++;
  }

  #log(line: string): void {
    for (const imageId of new Set(line.match(UUID))) {
      const lines = this.#lines.get(imageId);
      if (lines !== undefined && lines.length < LINES) lines.push(line);
    }
  }

  /** Should the edge be killed meanwhile, it is told again. */
  async #control(method: string, path: string, body?: unknown): Promise<Response> {
    for (;;) {
      await this.#ready;
      const starts = this.#starts;
      try {
        return await this.#send(method, path, body);
      } catch (cause) {
        await this.#ready;
        if (starts === this.#starts) throw cause;
      }
    }
  }

  /** @returns the answer, with its body read: whoever kills the edge does not cut it any more */
  async #send(method: string, path: string, body?: unknown): Promise<Response> {
    const response = await fetch(`${this.url}/_faults${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return new Response(response.status === 204 ? null : text, { status: response.status });
  }
}
