/** The answer to what the cache keeps out of: the origin's own, told of as such. */

import { forward } from "../glance/forward.ts";
import { addCacheStatus, type Detail } from "../http/cache-status.ts";
import { HOUR_MS } from "./ask.ts";
import type { Call } from "./call.ts";
import { wantsOnlyCached } from "./decide.ts";
import { refuse } from "./refusal.ts";

/**
 * The origin's own answer to the original request, with the reason why the cache kept out of it. Where only a kept copy is
 * wanted its refusals still are, but not its data.
 * @throws OriginUnreachable, BadOriginAnswer
 */
export async function answerForward(call: Call, detail: Detail): Promise<Response> {
  const { edge, request } = call;
  const response = await forward(request, edge.settings);
  const data = request.method === "GET" && (response.status === 200 || response.status === 206);
  if (data && wantsOnlyCached(request.headers)) {
    await response.body?.cancel();
    return refuse(call, response.headers, "only-if-cached");
  }
  // The question was refused and the download is not: typically a filter before the origin does not like that range.
  if (data && detail === "right-refused" && edge.seldom.isDue("origin.right-contradicted", HOUR_MS, edge.now())) {
    edge.log.info("origin.right-contradicted", { image_id: call.target.imageId });
  }
  addCacheStatus(response.headers, { kind: "bypass", detail });
  return response;
}
