/** Who may see and change which image: Glance's rules by visibility (glance/db/utils.py and the default policies). */
import type { Exchange } from "../http/exchange.ts";
import { HttpError } from "../http/webob-error.ts";
import { BARRED_ROLE, type Identity } from "../keystone/tokens.ts";
import type { Image } from "./image.ts";

/** @throws HttpError 401 */
export function authenticate(exchange: Exchange): Identity {
  const { token } = exchange;
  const identity = token === null ? null : exchange.namespace.tokens.find(token);
  if (identity === null) throw authenticationRequired(exchange);
  return identity;
}

/** As Glance's own middleware says it (context.py): auth_token leaves the refusal to it (delay_auth_decision). */
export function authenticationRequired(exchange: Exchange): HttpError {
  exchange.response.removeHeader("X-Openstack-Request-Id");
  return new HttpError(401, undefined, { headers: { "Www-Authenticate": `Keystone uri="${exchange.base}/v3"` } });
}

/** A member sees a shared image from the moment it's offered, accepted or not. */
export function maySee(identity: Identity, image: Image): boolean {
  if (identity.isAdmin || identity.projectId === image.owner) return true;
  const visibility = image.fields.visibility;
  if (visibility === "shared") return image.members.has(identity.projectId);
  return visibility !== "private";
}

export function mayChange(identity: Identity, image: Image): boolean {
  return identity.isAdmin || identity.projectId === image.owner;
}

/** The policy `"download_image": "not role:barred"`. @throws HttpError 403 */
export function expectDownload(identity: Identity): void {
  if (identity.roles.includes(BARRED_ROLE)) {
    throw new HttpError(403, "You are not authorized to complete download_image action.");
  }
}

/** @throws HttpError 403 */
export function expectOwner(identity: Identity, image: Image): void {
  if (!mayChange(identity, image)) throw new HttpError(403, "You do not own this image");
}

/** @throws HttpError 404 when there is no such image for this caller. @param message Glance words it differently by request */
export function findImage(exchange: Exchange, identity: Identity, id: string, message?: string): Image {
  const image = exchange.namespace.images.get(id);
  if (image === undefined || image.status === "deleted" || !maySee(identity, image)) {
    throw new HttpError(404, message ?? `No image found with ID ${id}`);
  }
  return image;
}
