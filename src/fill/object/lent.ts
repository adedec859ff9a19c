/**
 * Under whose rights a Fill asks the origin: the edge's own service account if it has one, else callers who lent theirs: the
 * newest few readers, and who queued the image. A caller's token is kept in memory only and never written down.
 */
import { seesAllImages } from "../../keystone/identity.ts";
import type { ServiceTokens } from "../../keystone/service-tokens.ts";
import type { Log } from "../../lib/log.ts";
import type { Rights } from "../protocol.ts";

/** Rights of readers that are kept, the newest ones: one may be refused where another is good. */
const READERS = 4;
/** The name of who queued the image, among those of readers. */
const QUEUER = "queuer";

export interface Taken {
  readonly rights: Rights;
  readonly from: "service" | "caller";
  /** Whose they are; null for the service account. */
  readonly reader: string | null;
  /** Whether a 404 means that the image is gone: who gets it can see every image, or saw this one before. */
  readonly seesAll: boolean;
}

export class LentRights {
  readonly #service: ServiceTokens | null;
  readonly #log: Log;
  /** The newest last. */
  readonly #lent = new Map<string, Rights>();
  /** Readers whose rights the origin has refused. */
  readonly #refused = new Set<string>();
  /** The service account was refused this image: a caller may still have the right. */
  #serviceRefused = false;
  /** A token of its was refused before, and another one asked for. */
  #serviceRenewed = false;

  constructor(service: ServiceTokens | null, log: Log) {
    this.#service = service;
    this.#log = log;
  }

  /** Whether there are rights to ask the origin under. */
  get any(): boolean {
    return this.#lent.size > 0 || (this.#service !== null && !this.#serviceRefused);
  }

  /** Whether who queued the image has lent. */
  get queuerLent(): boolean {
    return this.#lent.has(QUEUER);
  }

  lend(reader: string, rights: Rights): void {
    this.#lent.delete(reader);
    this.#lent.set(reader, rights);
    const readers = [...this.#lent.keys()].filter((name) => name !== QUEUER);
    const oldest = readers[0];
    if (readers.length > READERS && oldest !== undefined) this.#lent.delete(oldest);
  }

  lendForQueue(rights: Rights): void {
    this.#lent.set(QUEUER, rights);
  }

  wasRefused(reader: string): boolean {
    return this.#refused.has(reader);
  }

  clear(): void {
    this.#lent.clear();
    this.#refused.clear();
    this.#serviceRefused = false;
    this.#serviceRenewed = false;
  }

  /** @returns null when there are nobody's */
  async take(imageId: string): Promise<Taken | null> {
    const own = this.#serviceRefused ? null : await this.#takeService(imageId);
    if (own !== null) return own;
    const newest = [...this.#lent].at(-1);
    if (newest === undefined) return null;
    const [reader, rights] = newest;
    return { rights, from: "caller", reader, seesAll: true };
  }

  /** The origin refused what was asked under these rights. @param status of its answer */
  refused({ from, reader, rights }: Taken, status: number): void {
    if (from === "service") {
      // A token may have been revoked before its time: another one is asked for, once.
      const token = rights.headers.find(([name]) => name === "x-auth-token")?.[1];
      if (status === 401 && token !== undefined) this.#service?.forget(token);
      this.#serviceRefused = status !== 401 || this.#serviceRenewed;
      this.#serviceRenewed = true;
      return;
    }
    // It will not get better: the token has ended, or the right was withdrawn. One lent meanwhile is none of this.
    if (reader !== null && this.#lent.get(reader) === rights) this.#lent.delete(reader);
    if (reader !== null) this.#refused.add(reader);
  }

  async #takeService(imageId: string): Promise<Taken | null> {
    if (this.#service === null) return null;
    try {
      const { token, identity } = await this.#service.get();
      const api = [...this.#lent.values()].at(-1)?.target.api ?? "v2";
      return {
        rights: { target: { api, imageId }, headers: [["x-auth-token", token]] },
        from: "service",
        reader: null,
        seesAll: seesAllImages(identity),
      };
    } catch (cause) {
      this.#log.error("service.no-token", cause);
      return null;
    }
  }
}
