/**
 * Whom a token speaks for, asked of Keystone each time: a token that was revoked a moment ago is good for nothing, and no
 * answer is kept here (docs.openstack.org/api-ref/identity/v3/, "Validate and show information for token").
 */
import type { Endpoint } from "../lib/fetch.ts";
import { askKeystone, isRefusal, KeystoneUnavailable, unexpected } from "./api.ts";
import { type Identity, readToken } from "./identity.ts";
import type { ServiceToken, ServiceTokens } from "./service-tokens.ts";

export type TokenAnswer = { readonly kind: "valid"; readonly identity: Identity } | { readonly kind: "invalid" };

/**
 * Asks Keystone about a token: with the token itself, which Keystone's default policy allows to everybody
 * (`identity:validate_token`, "or rule:token_subject"), else with the edge's own one.
 * @param service the edge's own account, or null: it has none
 * @throws KeystoneUnavailable
 */
export async function validateToken(
  keystone: Endpoint,
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

async function validateAsService(keystone: Endpoint, token: string, service: ServiceTokens): Promise<TokenAnswer> {
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

async function askAbout(keystone: Endpoint, subject: string, asker: string): Promise<Word> {
  // OpenStack-Identity-Access-Rules is left out on purpose: without it Keystone does not vouch for a token whose
  // application credential is limited to certain requests, and the edge does not know how to keep such limits.
  const headers = { "x-auth-token": asker, "x-subject-token": subject, accept: "application/json" };
  const { status, text } = await askKeystone(keystone, { method: "GET", headers });
  if (status === 200) return { kind: "valid", identity: readToken(text).identity };
  // Without a look at the text a wrong KEYSTONE_URL, or a proxy of its own mind, would make every token a bad one.
  if (status === 401 && isRefusal(text)) return { kind: "asker-refused" };
  if (status === 403 && isRefusal(text)) return { kind: "asker-forbidden" };
  if (status === 404 && isRefusal(text)) return { kind: "subject-unknown" };
  throw unexpected(status);
}
