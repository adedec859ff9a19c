/**
 * Whom a token speaks for, asked of Keystone each time: a token that was revoked a moment ago is good for nothing, and no
 * answer is kept here (docs.openstack.org/api-ref/identity/v3/, "Validate and show information for token").
 */
import type { ServiceToken, ServiceTokens } from "./service-tokens.ts";

/** Who a token speaks for. */
export interface Identity {
  readonly userId: string | null;
  /** null for a token of no project: of a domain, of the whole system, or unscoped. */
  readonly projectId: string | null;
  /** Names; none for an unscoped token. */
  readonly roles: readonly string[];
}

export type TokenAnswer = { readonly kind: "valid"; readonly identity: Identity } | { readonly kind: "invalid" };

/** Keystone did not answer, or not as Keystone does, or not to the edge. Its message holds no secret. */
export class KeystoneUnavailable extends Error {
  override readonly name = "KeystoneUnavailable";
}

/** A validation takes Keystone some 10 to 100 ms, and clients wait for it. */
const DEADLINE_MS = 5_000;

/**
 * Asks Keystone about a token: with the token itself, which Keystone's default policy allows to everybody
 * (`identity:validate_token`, "or rule:token_subject"), else with the edge's own one.
 * @param service the edge's own account, or null: it has none
 * @throws KeystoneUnavailable
 */
export async function validateToken(
  keystone: string,
  token: string,
  service: ServiceTokens | null,
): Promise<TokenAnswer> {
  const word = await askAbout(keystone, token, token);
  if (word.kind === "valid") return word;
  if (word.kind !== "asker-forbidden") return { kind: "invalid" };
  if (service === null) {
    throw new KeystoneUnavailable("Keystone lets no token validate itself, and there are no service credentials");
  }
  return validateAsService(keystone, token, service);
}

async function validateAsService(keystone: string, token: string, service: ServiceTokens): Promise<TokenAnswer> {
  let own = await ownToken(service);
  let word = await askAbout(keystone, token, own.token);
  if (word.kind === "asker-refused") {
    // It was revoked before its time, which says nothing about the caller's token.
    service.forget(own.token);
    own = await ownToken(service);
    word = await askAbout(keystone, token, own.token);
  }
  switch (word.kind) {
    case "valid":
      return word;
    case "subject-unknown":
      return { kind: "invalid" };
    case "asker-refused":
      throw new KeystoneUnavailable("Keystone refuses the token that it has just given to the service credentials");
    case "asker-forbidden":
      throw new KeystoneUnavailable("Keystone does not let the service credentials validate tokens");
  }
}

async function ownToken(service: ServiceTokens): Promise<ServiceToken> {
  try {
    return await service.get();
  } catch (cause) {
    if (cause instanceof KeystoneUnavailable) throw cause;
    throw new KeystoneUnavailable("the service credentials give no token to validate others with", { cause });
  }
}

type Word =
  | { readonly kind: "valid"; readonly identity: Identity }
  /** 401: the asking token is not good. */
  | { readonly kind: "asker-refused" }
  /** 403: the asking token is good, but may not ask this. */
  | { readonly kind: "asker-forbidden" }
  /** 404: the other token is not good. Also said of an asking one whose application credential was deleted. */
  | { readonly kind: "subject-unknown" };

async function askAbout(keystone: string, subject: string, asker: string): Promise<Word> {
  // OpenStack-Identity-Access-Rules is left out on purpose: without it Keystone does not vouch for a token whose
  // application credential is limited to certain requests, and the edge does not know how to keep such limits.
  const headers = { "x-auth-token": asker, "x-subject-token": subject, accept: "application/json" };
  const { status, text } = await askKeystone(keystone, { method: "GET", headers });
  if (status === 200) return { kind: "valid", identity: readToken(text).identity };
  if (status === 401) return { kind: "asker-refused" };
  if (status === 403 && isRefusal(text)) return { kind: "asker-forbidden" };
  // Without a look at the text a wrong KEYSTONE_URL would make every token a bad one.
  if (status === 404 && isRefusal(text)) return { kind: "subject-unknown" };
  throw unexpected(status);
}

/** What came back, whole. */
export interface KeystoneAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/**
 * One request to `{keystone}/auth/tokens`, within 5 s, without the catalogue, which nobody here reads.
 * @throws KeystoneUnavailable when no answer came
 */
export async function askKeystone(
  keystone: string,
  init: Pick<RequestInit, "method" | "headers" | "body">,
): Promise<KeystoneAnswer> {
  try {
    const response = await fetch(`${keystone}/auth/tokens?nocatalog`, {
      ...init,
      cache: "no-store",
      // A redirect would take tokens to wherever it points.
      redirect: "manual",
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  } catch (cause) {
    throw new KeystoneUnavailable("Keystone did not answer", { cause });
  }
}

/** Keystone answered, but with what it never says. */
export function unexpected(status: number): KeystoneUnavailable {
  return new KeystoneUnavailable(`what answered with status ${status} at KEYSTONE_URL is no working Keystone`);
}

/** Whether the text is Keystone's way to say no, and not that of a web server in front of it. */
export function isRefusal(text: string): boolean {
  return isObject(field(parseJson(text), "error"));
}

export interface TokenDocument {
  readonly identity: Identity;
  /** From issue to expiry, in ms; null where the document does not say. */
  readonly lifetimeMs: number | null;
}

/** Keystone's token, as it is shown after a log-in or a validation. @throws KeystoneUnavailable for any other text */
export function readToken(text: string): TokenDocument {
  const token = field(parseJson(text), "token");
  const roles = field(token, "roles") ?? [];
  if (!isObject(token) || !Array.isArray(roles)) throw new KeystoneUnavailable("Keystone's answer is no token");
  const issued = readTime(field(token, "issued_at"));
  const expires = readTime(field(token, "expires_at"));
  return {
    identity: {
      userId: readText(field(field(token, "user"), "id")),
      projectId: readText(field(field(token, "project"), "id")),
      roles: roles.map((role: unknown) => readText(field(role, "name"))).filter((name) => name !== null),
    },
    lifetimeMs: issued === null || expires === null ? null : expires - issued,
  };
}

/**
 * ms since the epoch. Keystone's times are UTC in microseconds, and one that comes from the expiry of an application
 * credential lacks the Z (seen on Keystone 22).
 */
function readTime(value: unknown): number | null {
  if (typeof value !== "string") return null;
  const time = Date.parse(value.endsWith("Z") ? value : `${value}Z`);
  return Number.isNaN(time) ? null : time;
}

function readText(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // A web page, say: no field of it is there.
  }
}

function field(value: unknown, name: string): unknown {
  return isObject(value) ? value[name] : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
