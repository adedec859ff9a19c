/** The demo origin as a run sees it: one image, in a namespace of its own. */
import { createHash } from "node:crypto";
import { virtualBytes } from "../../demo/content/virtual-bytes.ts";
import type { DemoOrigin } from "../../demo/origin.ts";
import type { HeldObject } from "./injection.ts";
import type { ImagePlan } from "./plan.ts";

/** Questions for the right, not for data. */
const PROBES = new Set(["bytes=9223372036854775806-", "bytes=0-0"]);

interface Logged {
  readonly method: string;
  readonly path: string;
  readonly range: string | null;
  readonly status: number;
  readonly bytes: number;
}

export class ImageAtOrigin {
  readonly id = crypto.randomUUID();
  readonly plan: ImagePlan;
  readonly sha512: string;
  readonly bytes: Uint8Array;
  readonly #control: string;
  readonly #active = new Set<Readonly<Record<string, unknown>>>();

  constructor(origin: DemoOrigin, plan: ImagePlan) {
    this.plan = plan;
    this.bytes = virtualBytes(plan.contentSeed, 0, plan.size);
    this.sha512 = sha512Of(this.bytes);
    this.#control = `${origin.controlUrl}/t/${this.id}/_demo`;
  }

  async make(): Promise<void> {
    const { size, contentSeed, hash } = this.plan;
    await this.#send("PUT", `/images/${this.id}`, { size, seed: contentSeed, hash });
    await this.#setFaults();
  }

  /** Whether these bytes are the image. */
  isImage(bytes: Uint8Array): boolean {
    return bytes.length === this.plan.size && this.isPart(bytes, 0);
  }

  /** Whether these bytes are the image's from this one on. */
  isPart(bytes: Uint8Array, from: number): boolean {
    return Buffer.compare(this.bytes.subarray(from, from + bytes.length), bytes) === 0;
  }

  /** Whether these are the image, cut into parts. */
  isParts(parts: readonly HeldObject[]): boolean {
    const inOrder = [...parts].sort((one, other) => numberOf(one) - numberOf(other));
    let at = 0;
    for (const { size, sha512 } of inOrder) {
      if (sha512Of(this.bytes.subarray(at, at + size)) !== sha512) return false;
      at += size;
    }
    return at === this.plan.size;
  }

  /** Something goes wrong with it until the returned is called. */
  async goesWrong(faults: Readonly<Record<string, unknown>>): Promise<() => Promise<void>> {
    this.#active.add(faults);
    await this.#setFaults();
    return async () => {
      if (this.#active.delete(faults)) await this.#setFaults();
    };
  }

  async setLine(down: boolean): Promise<void> {
    await this.#send("PUT", "/link", { down });
  }

  /** All is well again. */
  async mend(): Promise<void> {
    this.#active.clear();
    await this.#setFaults();
    await this.setLine(false);
  }

  /** Bytes of image data that it has sent since the last time that this was asked to forget. */
  async sent(): Promise<{ readonly bytes: number; readonly calls: readonly string[] }> {
    const log = (await (await fetch(`${this.#control}/requests`)).json()) as Logged[];
    const data = log.filter(
      ({ method, path, range }) =>
        method === "GET" && /\/file$|^\/v1\/images\//.test(path) && !(range !== null && PROBES.has(range)),
    );
    // What follows the end of one that is too long is the origin's own.
    const bytes = data.reduce((sum, call) => sum + (call.status < 300 ? Math.min(call.bytes, this.plan.size) : 0), 0);
    return { bytes, calls: data.map((call) => `${call.status} ${call.range ?? "whole"} ${call.bytes}`) };
  }

  async forgetSent(): Promise<void> {
    await this.#send("DELETE", "/requests");
  }

  async #setFaults(): Promise<void> {
    const { rate, randomAccess, chunked } = this.plan;
    await this.#send(
      "PUT",
      `/images/${this.id}/faults`,
      Object.assign({ rate, randomAccess, chunked }, ...this.#active),
    );
  }

  async #send(method: string, path: string, body?: unknown): Promise<void> {
    const response = await fetch(this.#control + path, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`the demo origin refused ${method} ${path}: ${response.status} ${text}`);
  }
}

function sha512Of(bytes: Uint8Array): string {
  return createHash("sha512").update(bytes).digest("hex");
}

/** Which part it is. */
function numberOf({ key }: HeldObject): number {
  return Number(key.slice(key.lastIndexOf("/") + 1));
}
