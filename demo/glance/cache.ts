/** /v2/cache as a Glance answers it whose own cache is off (glance/api/v2/cached_images.py): all of it is refused, in this order. */
import type { Exchange } from "../http/exchange.ts";
import { HttpError } from "../http/webob-error.ts";
import type { Identity } from "../keystone/tokens.ts";
import { findImage, maySee } from "./access.ts";

/** @param policy the default of each is admins only. @throws HttpError 403 or 404 */
export function refuseCache(identity: Identity, policy: "cache_list" | "cache_image" | "cache_delete"): never {
  if (!identity.isAdmin) throw new HttpError(403, `You are not authorized to complete ${policy} action.`);
  throw new HttpError(404, "Caching via API is not supported at this site.");
}

export function refuseQueueing(exchange: Exchange, identity: Identity, id: string): never {
  findImage(exchange, identity, id, `Image ${id} not found.`);
  refuseCache(identity, "cache_image");
}

export function refuseRemoval(exchange: Exchange, identity: Identity, id: string): never {
  const image = exchange.namespace.images.get(id);
  // It looks for an unknown one in the cache that it does not have.
  if (image === undefined || !maySee(identity, image)) throw new HttpError(500);
  refuseCache(identity, "cache_delete");
}
