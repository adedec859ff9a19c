/** Who may read the metrics: whoever has METRICS_TOKEN, and whoever may manage the cache. */
import type { Edge } from "../context.ts";
import { glanceError } from "../glance/errors.ts";
import { askManager } from "./rights.ts";

/** @returns null for who may; a refusal for others */
export async function refuseMetrics(edge: Edge, request: Request): Promise<Response | null> {
  const { settings, service, requestId, log } = edge;
  const { keystone, adminRoles, metricsToken } = settings;
  const bearer = /^Bearer +(\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  if (metricsToken !== null && bearer !== undefined && (await isSame(bearer, metricsToken))) return null;
  const refuse = (status: number, message: string, more: Readonly<Record<string, string>> = {}) =>
    glanceError(request, status, message, { "x-openstack-request-id": requestId, ...more });
  const challenge = { "www-authenticate": 'Bearer realm="glance-edge metrics"' };
  if (keystone === null) {
    return metricsToken === null
      ? refuse(403, "Nobody may read the metrics of this edge: it has neither METRICS_TOKEN nor KEYSTONE_URL set.")
      : refuse(401, "The metrics want METRICS_TOKEN as a Bearer token.", challenge);
  }
  const answer = await askManager(request, { keystone, adminRoles }, service);
  switch (answer.kind) {
    case "manager":
      return null;
    case "member":
      return refuse(403, "The metrics want a token with a role of ADMIN_ROLES.");
    case "unauthenticated":
      return refuse(
        401,
        "The metrics want METRICS_TOKEN as a Bearer token, or an administrator's X-Auth-Token.",
        challenge,
      );
    case "unavailable":
      log.error("keystone.unavailable", answer.cause);
      return refuse(503, "Keystone can't be asked whether this request is allowed. METRICS_TOKEN works without it.");
  }
}

/** In a time that tells nothing of how much agrees. */
async function isSame(given: string, wanted: string): Promise<boolean> {
  const digest = (text: string) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return crypto.subtle.timingSafeEqual(await digest(given), await digest(wanted));
}
