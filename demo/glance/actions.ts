/** POST /v2/images/{id}/actions/deactivate and reactivate (glance/api/v2/image_actions.py). */
import { type Exchange, replyEmpty } from "../http/exchange.ts";
import { HttpError } from "../http/webob-error.ts";
import type { Identity } from "../keystone/tokens.ts";
import { expectOwner, findImage } from "./access.ts";

export function setActive(exchange: Exchange, identity: Identity, id: string, active: boolean): void {
  const image = findImage(exchange, identity, id);
  const action = active ? "reactivate" : "deactivate";
  expectOwner(identity, image);
  const to = active ? "active" : "deactivated";
  if (image.status !== "active" && image.status !== "deactivated") {
    throw new HttpError(403, `Not allowed to ${action} image in status '${image.status}'`);
  }
  image.status = to;
  image.updatedAt = new Date();
  replyEmpty(exchange, 204);
}
