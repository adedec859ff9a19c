/**
 * What the origin has allowed lately, in this isolate's memory only. Serves two ends: `AUTHORIZATION_TTL` (a positive
 * answer may be believed for some seconds), and telling an image that is gone from one that was never visible to the
 * asking caller: both are 404 in Glance, but only a caller who was allowed before proves the former.
 *
 * Refusals are never kept. Tokens are kept as SHA-256 only.
 */
import { toHex } from "../hex.ts";
import type { RecordAnswer } from "./authorize.ts";

/** Bound of the memory: about 1 KB an entry, so some MB of an isolate's 128 MB. The oldest go first. */
const MAX_ENTRIES = 4096;

type Found = Extract<RecordAnswer, { kind: "found" }>;

interface Permission {
  readonly imageId: string;
  readonly answer: Found;
  /** ms since the epoch */
  readonly allowedAt: number;
}

export class Permissions {
  readonly #entries = new Map<string, Permission>();

  /** Remembers that the caller behind this key was allowed to download the image. */
  allow(key: string, imageId: string, answer: Found, now: number): void {
    this.#entries.delete(key);
    this.#entries.set(key, { imageId, answer, allowedAt: now });
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

  /** Forgets all about an image: its rights may have changed. */
  forget(imageId: string): void {
    for (const [key, entry] of this.#entries) if (entry.imageId === imageId) this.#entries.delete(key);
  }
}

/**
 * The headers by which a service behind the edge may tell callers apart. Whoever sends the same ones is the same caller to
 * Glance. X-Storage-Token is X-Auth-Token's old name, and access rules limit what a token is good for
 * (keystonemiddleware/auth_token/__init__.py and _request.py).
 */
const IDENTITY_FIELDS = new Set([
  "authorization",
  "cookie",
  "openstack-identity-access-rules",
  "x-auth-token",
  "x-service-token",
  "x-storage-token",
]);

/**
 * A key for one caller and one image in one API; never reversible to a token. The page that a browser asks for (Origin) is part
 * of it, since the remembered answer says what that page may read (CORS).
 */
export async function permissionKey(client: Headers, api: string, imageId: string): Promise<string> {
  // To a WSGI server X_Auth_Token and X-Auth-Token are the same variable: any spelling makes another caller here.
  const caller = [...client].filter(([name]) => IDENTITY_FIELDS.has(name.replaceAll("_", "-")));
  const identity = JSON.stringify([api, imageId, caller, client.get("origin")]);
  return toHex(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(identity)));
}
