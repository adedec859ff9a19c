/**
 * The edge's own token at Keystone, from an application credential, for what no client waits for: prefetch, fills in the
 * background, and validating others' tokens where Keystone's policy asks for that. Kept in the isolate's memory only.
 */
import type { Endpoint } from "../lib/fetch.ts";
import type { ServiceCredential, Settings } from "../settings.ts";
import { askKeystone, isRefusal, KeystoneUnavailable, unexpected } from "./api.ts";
import { type Identity, readToken, type TokenDocument } from "./identity.ts";

export interface ServiceToken {
  readonly token: string;
  readonly identity: Identity;
}

/** Keystone knows no such application credential, or it has expired or another secret. Its message holds neither. */
export class ServiceCredentialRefused extends Error {
  override readonly name = "ServiceCredentialRefused";
}

/** A token that is handed out must still be good when the request it's for has reached Glance, and Glance Keystone. */
const RENEW_AHEAD_MS = 5 * 60_000;

/**
 * When a token is replaced, in ms since the epoch: five minutes before its end, or half-way where it lives no ten.
 * @param obtainedAt when it was asked for, by the edge's own clock: Keystone's may be another
 */
export function renewalTime(obtainedAt: number, lifetimeMs: number): number {
  return obtainedAt + lifetimeMs - Math.min(RENEW_AHEAD_MS, lifetimeMs / 2);
}

interface Held {
  /** Whose it is: changed settings never meet an old token. */
  readonly account: string;
  readonly token: ServiceToken;
  /** ms since the epoch */
  readonly renewAt: number;
}

/** One for all requests of an isolate. Holds one token: an isolate has one set of settings. */
export class ServiceTokenMemory {
  #held: Held | null = null;

  keep(account: string, token: ServiceToken, renewAt: number): void {
    this.#held = { account, token, renewAt };
  }

  /** The account's token, unless it is time for another one. */
  recall(account: string, now: number): ServiceToken | null {
    const held = this.#held;
    return held !== null && held.account === account && now < held.renewAt ? held.token : null;
  }

  /** Drops this token; a newer one stays. */
  forget(token: string): void {
    if (this.#held?.token.token === token) this.#held = null;
  }
}

export class ServiceTokens {
  readonly #keystone: Endpoint;
  readonly #credential: ServiceCredential;
  readonly #memory: ServiceTokenMemory;
  readonly #now: () => number;
  readonly #account: string;

  constructor(keystone: Endpoint, credential: ServiceCredential, memory: ServiceTokenMemory, now: () => number) {
    this.#keystone = keystone;
    this.#credential = credential;
    this.#memory = memory;
    this.#now = now;
    this.#account = JSON.stringify([keystone.url, credential.id]);
  }

  /**
   * A token that is good for at least some minutes, unless Keystone gives shorter ones or has revoked it. Requests that
   * need a new one at the same moment each ask for their own: in Workers no request may wait for another one's I/O.
   * @throws KeystoneUnavailable
   * @throws ServiceCredentialRefused
   */
  async get(): Promise<ServiceToken> {
    const now = this.#now();
    const remembered = this.#memory.recall(this.#account, now);
    if (remembered !== null) return remembered;
    const { token, document } = await logIn(this.#keystone, this.#credential);
    const own = { token, identity: document.identity };
    this.#memory.keep(this.#account, own, renewalTime(now, document.lifetimeMs));
    return own;
  }

  /** To be called when a service answered 401 to this token: it was revoked before its time. */
  forget(token: string): void {
    this.#memory.forget(token);
  }
}

interface LoggedIn {
  readonly token: string;
  readonly document: TokenDocument & { readonly lifetimeMs: number };
}

/** @throws KeystoneUnavailable @throws ServiceCredentialRefused */
export async function logIn(keystone: Endpoint, { id, secret }: ServiceCredential): Promise<LoggedIn> {
  const identity = { methods: ["application_credential"], application_credential: { id, secret } };
  const { status, headers, text } = await askKeystone(keystone, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify({ auth: { identity } }),
  });
  // 404: Keystone says openly that it has no such credential; a web page with this status comes from something else.
  if ((status === 401 || status === 403 || status === 404) && isRefusal(text)) {
    throw new ServiceCredentialRefused(`Keystone refuses the application credential with status ${status}`);
  }
  if (status !== 201) throw unexpected(status);
  const document = readToken(text);
  const token = headers.get("x-subject-token");
  const { lifetimeMs } = document;
  if (token === null || lifetimeMs === null) {
    throw new KeystoneUnavailable("Keystone gave a token without its id or its times");
  }
  return { token, document: { ...document, lifetimeMs } };
}

/** The edge's own account by the settings, or null: it has none. */
export function serviceTokens(
  settings: Pick<Settings, "keystone" | "serviceCredential">,
  memory: ServiceTokenMemory,
  now: () => number,
): ServiceTokens | null {
  const { keystone, serviceCredential } = settings;
  return keystone === null || serviceCredential === null
    ? null
    : new ServiceTokens(keystone, serviceCredential, memory, now);
}
