/**
 * Under whose rights the background asks the origin: the edge's own service account if it has one, else the last caller
 * who pulled or queued the image. A caller's token is kept in memory only and never written down.
 */

import { seesAllImages } from "../keystone/identity.ts";
import type { ServiceTokens } from "../keystone/service-tokens.ts";
import type { Log } from "../observe/log.ts";
import type { Errand } from "./protocol.ts";

export interface Taken {
  readonly errand: Errand;
  readonly from: "service" | "caller";
  /** Whether a 404 means that the image is gone: who gets it can see every image, or saw this one before. */
  readonly seesAll: boolean;
}

export class Rights {
  readonly #service: ServiceTokens | null;
  readonly #log: Log;
  /** Who pulled last, and who queued the image: one may lose a right that the other keeps. */
  #puller: Errand | null = null;
  #queuer: Errand | null = null;
  /** The service account was refused this image: a caller may still have the right. */
  #callersFirst = false;

  constructor(service: ServiceTokens | null, log: Log) {
    this.#service = service;
    this.#log = log;
  }

  /** Whether a caller has lent its rights. */
  get lent(): boolean {
    return this.#puller !== null || this.#queuer !== null;
  }

  /** A caller pulls, or has queued the image. */
  lend(errand: Errand, as: "puller" | "queuer"): void {
    if (as === "puller") this.#puller = errand;
    else this.#queuer = errand;
  }

  clear(): void {
    this.#puller = null;
    this.#queuer = null;
    this.#callersFirst = false;
  }

  /** @returns null when there are nobody's */
  async take(imageId: string): Promise<Taken | null> {
    const errand = this.#puller ?? this.#queuer;
    const caller: Taken | null = errand && { errand, from: "caller", seesAll: true };
    if (caller !== null && this.#callersFirst) return caller;
    return (await this.#takeService(imageId)) ?? caller;
  }

  /** The origin refused what was asked under these rights. @param status of its answer */
  refused({ from, errand }: Taken, status: number): void {
    if (from === "caller") {
      // It will not get better: the token has ended, or the right was withdrawn. A newer one is none of this.
      if (this.#puller === errand) this.#puller = null;
      if (this.#queuer === errand) this.#queuer = null;
      return;
    }
    // A token may have been revoked before its time: the next one is asked for anew.
    if (status === 401) this.#service?.forget(errand.headers.find(([name]) => name === "x-auth-token")?.[1] ?? "");
    this.#callersFirst = true;
  }

  async #takeService(imageId: string): Promise<Taken | null> {
    if (this.#service === null) return null;
    try {
      const { token, identity } = await this.#service.get();
      const target = { api: this.#puller?.target.api ?? "v2", imageId } as const;
      return {
        errand: { target, headers: [["x-auth-token", token]] },
        from: "service",
        seesAll: seesAllImages(identity),
      };
    } catch (cause) {
      this.#log.error("service.no-token", cause);
      return null;
    }
  }
}
