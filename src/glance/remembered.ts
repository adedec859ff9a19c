/**
 * What the origin has allowed lately, in this isolate's memory only. Serves two ends: `AUTHORIZATION_TTL` (a positive
 * answer may be believed for some seconds), and telling an image that is gone from one that was never visible to the
 * asking caller: both are 404 in Glance, but only a caller who was allowed before proves the former.
 *
 * Refusals are never kept. Tokens are kept as SHA-256 only.
 */

import { callerIdentity, isPrintable } from "../http/headers.ts";
import { toHex } from "../lib/hex.ts";
import type { RecordAnswer } from "./ask-record.ts";
import type { ImageTarget } from "./target.ts";

/** Bound of the memory: about 1 KB an entry, so some MB of an isolate's 128 MB. The oldest go first. */
const MAX_ENTRIES = 4096;

type Found = Extract<RecordAnswer, { kind: "found" }>;

interface Permission {
  readonly imageId: string;
  readonly answer: Found;
  /** ms since the epoch */
  readonly allowedAt: number;
}

/** A question to the origin that is under way. */
export interface Asking {
  /** ms since the epoch */
  readonly at: number;
  /** Number of the last change before it. */
  readonly change: number;
}

/** What was forgotten because of a change. */
export interface Forgotten {
  readonly entries: readonly (readonly [string, Permission])[];
  /** Number of that change. */
  readonly change: number;
}

export class Permissions {
  readonly #entries = new Map<string, Permission>();
  /** Changes are numbered from 1 on: that of the last one, … */
  #change = 0;
  /** … of the last one that may have been about any image, … */
  #changeOfAny = 0;
  /** … and of each image's last one. */
  readonly #changeOf = new Map<string, number>();

  /** To be called before the origin is asked, for {@link allow}. @param now ms since the epoch */
  asking(now: number): Asking {
    return { at: now, change: this.#change };
  }

  /**
   * Remembers that the caller behind this key was allowed to download the image. Not if the image may have changed since the
   * origin was asked: its answer may then be of the time before.
   */
  allow(key: string, imageId: string, answer: Found, asked: Asking): void {
    if (this.#lastChangeOf(imageId) > asked.change) return;
    this.#entries.delete(key);
    this.#entries.set(key, { imageId, answer, allowedAt: asked.at });
    const oldest = this.#entries.keys().next();
    if (this.#entries.size > MAX_ENTRIES && oldest.done !== true) this.#entries.delete(oldest.value);
  }

  /** The origin's answer, if it is no older than `ttlMs`. */
  recall(key: string, ttlMs: number, now: number): Found | null {
    const entry = this.#entries.get(key);
    return entry !== undefined && now - entry.allowedAt < ttlMs ? entry.answer : null;
  }

  /** Whether this caller was ever allowed to download the image, as far as this isolate remembers. */
  wasAllowed(key: string): boolean {
    return this.#entries.has(key);
  }

  /** Forgets all about these images: their rights may have changed. @returns it, for {@link putBack} */
  forget(images: readonly string[] | "any"): Forgotten {
    const entries: (readonly [string, Permission])[] = [];
    if (images !== "any" && images.length === 0) return { entries, change: this.#change };
    this.#note(images);
    for (const entry of this.#entries) {
      if (images === "any" || images.includes(entry[1].imageId)) entries.push(entry);
    }
    for (const [key] of entries) this.#entries.delete(key);
    return { entries, change: this.#change };
  }

  /** The change was none. What another one has touched meanwhile, or was learned anew, stays as it is. */
  putBack({ entries, change }: Forgotten): void {
    for (const [key, permission] of entries) {
      const untouched = this.#lastChangeOf(permission.imageId) <= change && !this.#entries.has(key);
      if (untouched && this.#entries.size < MAX_ENTRIES) this.#entries.set(key, permission);
    }
  }

  #note(images: readonly string[] | "any"): void {
    this.#change++;
    if (images !== "any") {
      for (const imageId of images) this.#changeOf.set(imageId, this.#change);
      if (this.#changeOf.size <= MAX_ENTRIES) return;
    }
    // One number for all says no less: it only has more answers under way not remembered.
    this.#changeOfAny = this.#change;
    this.#changeOf.clear();
  }

  #lastChangeOf(imageId: string): number {
    return Math.max(this.#changeOfAny, this.#changeOf.get(imageId) ?? 0);
  }
}

/**
 * A key for one caller and one download (image, API and query); never reversible to a token. It is made of exactly what tells
 * callers apart in the questions that the edge asks as them: whoever looks different to the origin is somebody else here. So is
 * the page that a browser asks for (Origin): the remembered answer says what that page may read (CORS).
 */
export async function permissionKey(client: Headers, { api, imageId, query = "" }: ImageTarget): Promise<string> {
  const caller = callerIdentity(client);
  // Bytes that are no ASCII all read alike in JavaScript, and are sent as they came: such a caller is known to nobody.
  if (!caller.every(([, value]) => isPrintable(value))) return crypto.randomUUID();
  const identity = JSON.stringify([api, imageId, query, caller, client.get("origin")]);
  return toHex(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(identity)));
}
