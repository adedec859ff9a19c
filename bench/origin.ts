/** The demo origin as a process of its own, so that its CPU is not workerd's. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A token that the demo origin always knows. */
export const TOKEN = "demo";

export interface Image {
  readonly id: string;
  readonly size: number;
  /** Hex. */
  readonly sha512: string;
}

export class Origin {
  readonly url: string;
  readonly #controlUrl: string;
  readonly #process: ChildProcess;

  private constructor(url: string, controlUrl: string, child: ChildProcess) {
    this.url = url;
    this.#controlUrl = controlUrl;
    this.#process = child;
  }

  static async start(): Promise<Origin> {
    const program = fileURLToPath(new URL("../demo/main.ts", import.meta.url));
    const child = spawn(process.execPath, [program, "--port", "0", "--control-port", "0"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    // Also when the bench itself fails.
    process.once("exit", () => child.kill());
    for await (const line of createInterface({ input: child.stdout })) {
      const [url, controlUrl] = line.match(/http:\/\/127\.0\.0\.1:\d+/g) ?? [];
      if (url !== undefined && controlUrl !== undefined) return new Origin(url, controlUrl, child);
    }
    throw new Error("the demo origin did not start");
  }

  /** Makes a new image. All images of one size and seed have the same content. */
  async makeImage(size: number, seed = 1): Promise<Image> {
    const id = crypto.randomUUID();
    const record: unknown = await (await this.#control("PUT", `images/${id}`, { size, seed })).json();
    const sha512 =
      typeof record === "object" && record !== null && "os_hash_value" in record ? record.os_hash_value : "";
    return { id, size, sha512: String(sha512) };
  }

  async removeImage(image: Image): Promise<void> {
    const headers = { "x-auth-token": TOKEN };
    const response = await fetch(`${this.url}/v2/images/${image.id}`, { method: "DELETE", headers });
    if (response.status !== 204) throw new Error(`the demo origin kept an image: status ${response.status}`);
  }

  /** The speed of the line that all downloads share, bytes per second; null: as fast as it goes. */
  async limit(rate: number | null): Promise<void> {
    await this.#control("PUT", "link", rate === null ? {} : { rate });
  }

  async forgetRequests(): Promise<void> {
    await this.#control("DELETE", "requests");
  }

  /** Image bytes sent since {@link forgetRequests}. Refusals, the answers to questions for the right among them, are none. */
  async sent(): Promise<number> {
    const log: unknown = await (await this.#control("GET", "requests")).json();
    if (!Array.isArray(log)) throw new Error("the demo origin's log is not a list");
    const data = log.filter(({ method, path, status }) => method === "GET" && path.endsWith("/file") && status < 300);
    return data.reduce((sum: number, entry) => sum + entry.bytes, 0);
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  async stop(): Promise<void> {
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGTERM");
    await ended;
  }

  async #control(method: string, path: string, body?: unknown): Promise<Response> {
    const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
    const response = await fetch(`${this.#controlUrl}/_demo/${path}`, init);
    if (!response.ok) throw new Error(`the demo origin refused ${method} ${path}: ${await response.text()}`);
    return response;
  }
}

/** The path of an image's data, at the origin and at the edge. */
export function dataPath(image: Image): string {
  return `/v2/images/${image.id}/file`;
}
