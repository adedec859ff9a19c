/**
 * Who may manage the cache: whoever's token is valid at Keystone at this moment and has one of the roles in ADMIN_ROLES.
 * Glance's policies for its cache API default to the same (glance/policies/cache.py, `rule:context_is_admin`).
 */

import { callerHeaders } from "../http/headers.ts";
import type { Identity } from "../keystone/identity.ts";
import type { ServiceTokens } from "../keystone/service-tokens.ts";
import { validateToken } from "../keystone/validate-token.ts";
import type { Endpoint } from "../lib/fetch.ts";
import type { Settings } from "../settings.ts";

export type ManagerAnswer =
  | { readonly kind: "manager"; readonly identity: Identity }
  /** Somebody, but without such a role. */
  | { readonly kind: "member"; readonly identity: Identity }
  | { readonly kind: "unauthenticated" }
  /** Keystone can't be asked, so nobody knows. */
  | { readonly kind: "unavailable"; readonly cause: unknown };

/** Characters; Fernet's have some 250. Longer ones Keystone's own web server refuses, which would look like a failure. */
const MAX_TOKEN = 8_000;

/**
 * Whether the caller of this request may manage the cache. Nothing is remembered of the answer. Never throws.
 * @param service the edge's own account, or null: it has none
 */
export async function askManager(
  request: Request,
  settings: Pick<Settings, "adminRoles"> & { readonly keystone: Endpoint },
  service: ServiceTokens | null,
): Promise<ManagerAnswer> {
  // X-Storage-Token: an old name of it that Glance takes as well (keystonemiddleware/auth_token/_request.py).
  const caller = callerHeaders(request.headers);
  const token = caller.get("x-auth-token") ?? caller.get("x-storage-token") ?? "";
  if (token === "" || token.length > MAX_TOKEN) return { kind: "unauthenticated" };
  try {
    const answer = await validateToken(settings.keystone, token, service);
    if (answer.kind === "invalid") return { kind: "unauthenticated" };
    const { identity } = answer;
    return { kind: hasOneOf(identity.roles, settings.adminRoles) ? "manager" : "member", identity };
  } catch (cause) {
    return { kind: "unavailable", cause };
  }
}

/** Keystone keeps a role's name as it was written, and services compare it without case (oslo.policy's RoleCheck). */
function hasOneOf(roles: readonly string[], wanted: readonly string[]): boolean {
  const names = new Set(wanted.map((role) => role.toLowerCase()));
  return roles.some((role) => names.has(role.toLowerCase()));
}
