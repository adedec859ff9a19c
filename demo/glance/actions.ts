/** POST /v2/images/{id}/actions/deactivate and reactivate (glance/api/v2/image_actions.py). */
import { type Exchange, replyEmpty } from "../http/exchange.ts";
import { HttpError } from "../http/webob-error.ts";
import type { Identity } from "../keystone/tokens.ts";
import { findImage, mayChange } from "./access.ts";

export function setActive(exchange: Exchange, identity: Identity, id: string, active: boolean): void {
  const image = findImage(exchange, identity, id);
  const action = active ? "reactivate" : "deactivate";
  if (!mayChange(identity, image)) throw new HttpError(403, `You are not authorized to complete ${action} action.`);
  const to = active ? "active" : "deactivated";
  if (image.status !== "active" && image.status !== "deactivated") {
    throw new HttpError(403, `Not allowed to ${action} image in status '${image.status}'`);
  }
  image.status = to;
  image.updatedAt = new Date();
  replyEmpty(exchange, 204);
}
