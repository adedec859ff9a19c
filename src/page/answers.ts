/** How the page's API answers: JSON, for this caller and this moment, and an error that says what to do. */
import type { Edge } from "../context.ts";

export function json(edge: Edge, value: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return Response.json(value, {
    status,
    headers: {
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "x-openstack-request-id": edge.requestId,
      ...headers,
    },
  });
}

/** @param message plain text for the operator: what happened, and what to do */
export function apiError(edge: Edge, status: number, message: string, headers: Record<string, string> = {}): Response {
  return json(edge, { error: { status, message } }, status, headers);
}

export const NO_KEYSTONE =
  "KEYSTONE_URL is not set: without Keystone the edge can't tell an administrator. Set it in wrangler.toml.";
export const NO_SESSION =
  "Keystone does not vouch for this token: it has expired or was revoked. Log in again. (A token from an application " +
  "credential with access rules is never taken.)";
export const KEYSTONE_AWAY =
  "Keystone does not answer, so the edge can't tell whether you may do this. Nothing was done; try again in a moment.";
export const INDEX_AWAY =
  "The index (D1) does not answer, so this can't be known now. Downloads go on. Try again in a moment; if it lasts, " +
  "look at Cloudflare's status.";

export const NOTHING = "The edge's API has nothing here.";

export function notAdministrator(roles: readonly string[]): string {
  return `This account has none of the roles that may look after the edge: ${roles.join(", ")} (ADMIN_ROLES).`;
}
