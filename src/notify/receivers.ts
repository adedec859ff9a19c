/**
 * Who the callers of late downloads were, in this isolate's memory only: a machine that boots makes several downloads
 * with one token, and Keystone need not be asked for each. Only positive answers are kept, and tokens as SHA-256 only.
 */

import type { Identity } from "../keystone/identity.ts";
import { toHex } from "../lib/hex.ts";

/**
 * For how long an identity is believed, ms. It decides nothing, and who a token speaks for never changes: the time bounds
 * only how long a user's ids stay in memory.
 */
const TTL_MS = 5 * 60_000;

/** Bound of the memory: some 100 bytes an entry. The oldest go first. */
const MAX_ENTRIES = 4096;

interface Entry {
  readonly identity: Identity;
  /** ms since the epoch */
  readonly learntAt: number;
}

export class Receivers {
  readonly #entries = new Map<string, Entry>();

  remember(key: string, identity: Identity, now: number): void {
    this.#entries.delete(key);
    this.#entries.set(key, { identity, learntAt: now });
    const oldest = this.#entries.keys().next();
    if (this.#entries.size > MAX_ENTRIES && oldest.done !== true) this.#entries.delete(oldest.value);
  }

  /** @returns null for one that is unknown, or was learnt 5 minutes ago or earlier */
  recall(key: string, now: number): Identity | null {
    const entry = this.#entries.get(key);
    if (entry === undefined) return null;
    if (now - entry.learntAt < TTL_MS) return entry.identity;
    this.#entries.delete(key);
    return null;
  }
}

/** A key for one token at one Keystone; never reversible to the token. */
export async function receiverKey(keystone: string, token: string): Promise<string> {
  const text = new TextEncoder().encode(JSON.stringify([keystone, token]));
  return toHex(await crypto.subtle.digest("SHA-256", text));
}
