/**
 * Under whose rights the background asks the origin: the edge's own service account if it has one, else the last caller
 * who pulled or queued the image. A caller's token is kept in memory only and never written down.
 */
import type { Log } from "../observe/log.ts";
import type { ServiceTokens } from "../origin/service-tokens.ts";
import type { Errand } from "./protocol.ts";

export interface Taken {
  readonly errand: Errand;
  readonly from: "service" | "caller";
  /** Whether a 404 means that the image is gone: who gets it can see every image, or saw this one before. */
  readonly seesAll: boolean;
}

/** The role that Glance takes for one who sees all images (`context_is_admin` in glance/policies/base.py). */
const SEES_ALL = "admin";

export class Rights {
  readonly #service: ServiceTokens | null;
  readonly #log: Log;
  #caller: Errand | null = null;
  /** The service account was refused this image: a caller may still have the right. */
  #callerFirst = false;

  constructor(service: ServiceTokens | null, log: Log) {
    this.#service = service;
    this.#log = log;
  }

  /** Whether a caller has lent its rights. */
  get lent(): boolean {
    return this.#caller !== null;
  }

  /** A caller pulls, or has queued the image. */
  lend(errand: Errand): void {
    this.#caller = errand;
  }

  clear(): void {
    this.#caller = null;
    this.#callerFirst = false;
  }

  /** @returns null when there are nobody's */
  async take(imageId: string): Promise<Taken | null> {
    const caller: Taken | null = this.#caller && { errand: this.#caller, from: "caller", seesAll: true };
    if (caller !== null && this.#callerFirst) return caller;
    return (await this.#takeService(imageId)) ?? caller;
  }

  /** The origin refused what was asked under these rights. @param status of its answer */
  refused({ from, errand }: Taken, status: number): void {
    if (from === "caller") {
      // It will not get better: the token has ended, or the right was withdrawn.
      this.#caller = null;
      return;
    }
    // A token may have been revoked before its time: the next one is asked for anew.
    if (status === 401) this.#service?.forget(errand.headers.find(([name]) => name === "x-auth-token")?.[1] ?? "");
    this.#callerFirst = true;
  }

  async #takeService(imageId: string): Promise<Taken | null> {
    if (this.#service === null) return null;
    try {
      const { token, identity } = await this.#service.get();
      const target = { api: this.#caller?.target.api ?? "v2", imageId } as const;
      const seesAll = identity.roles.some((role) => role.toLowerCase() === SEES_ALL);
      return { errand: { target, headers: [["x-auth-token", token]] }, from: "service", seesAll };
    } catch (cause) {
      this.#log.error("service.no-token", cause);
      return null;
    }
  }
}
