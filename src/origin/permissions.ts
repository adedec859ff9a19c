/**
 * What the origin has allowed lately, in this isolate's memory only. Serves two ends: `AUTHORIZATION_TTL` (a positive
 * answer may be believed for some seconds), and telling an image that is gone from one that was never visible to the
 * asking caller: both are 404 in Glance, but only a caller who was allowed before proves the former.
 *
 * Refusals are never kept. Tokens are kept as SHA-256 only.
 */
import { toHex } from "../hex.ts";
import { callerIdentity } from "../http/headers.ts";
import type { RecordAnswer } from "./authorize.ts";
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
  readonly changes: number;
}

export class Permissions {
  readonly #entries = new Map<string, Permission>();
  /** How often something was forgotten. */
  #changes = 0;

  /** To be called before the origin is asked, for {@link allow}. @param now ms since the epoch */
  asking(now: number): Asking {
    return { at: now, changes: this.#changes };
  }

  /**
   * Remembers that the caller behind this key was allowed to download the image. Not if anything was forgotten since the origin
   * was asked: its answer may then be of the time before the change.
   */
  allow(key: string, imageId: string, answer: Found, asked: Asking): void {
    if (asked.changes !== this.#changes) return;
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

  /** Forgets all about these images: their rights may have changed. */
  forget(images: readonly string[] | "any"): void {
    if (images !== "any" && images.length === 0) return;
    this.#changes++;
    for (const [key, { imageId }] of this.#entries) {
      if (images === "any" || images.includes(imageId)) this.#entries.delete(key);
    }
  }
}

/**
 * A key for one caller and one download (image, API and query); never reversible to a token. It is made of exactly what tells callers
 * apart in the questions that the edge asks as them: whoever looks different to the origin is somebody else here. So is the page that a browser asks for (Origin): the remembered
 * answer says what that page may read (CORS).
 */
export async function permissionKey(client: Headers, { api, imageId, query = "" }: ImageTarget): Promise<string> {
  const caller = callerIdentity(client);
  // Bytes that are no ASCII all read alike in JavaScript, and are sent as they came: such a caller is known to nobody.
  if (!caller.every(([, value]) => /^[\t -~]*$/.test(value))) return crypto.randomUUID();
  const identity = JSON.stringify([api, imageId, query, caller, client.get("origin")]);
  return toHex(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(identity)));
}
