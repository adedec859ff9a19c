/**
 * glance-edge: what the platform calls. Each request gets an id, checked settings and a last line of defence: a failure
 * of ours is one line of JSON in the log and a Glance-shaped answer, never a stack trace to a client.
 */
import { type Env, readSettings, SettingError } from "./config.ts";
import { createEdge } from "./edge.ts";
import { glanceError } from "./http/glance-error.ts";
import { createLog } from "./observe/log.ts";
import { OriginUnreachable } from "./origin/forward.ts";
import { Permissions } from "./origin/permissions.ts";
import { route } from "./router.ts";

export { Fill } from "./fill/fill.ts";

/** One memory for all requests of an isolate: the only state outside of a request, and no more than a memory. */
const permissions = new Permissions();

export default {
  async fetch(request, env, ctx): Promise<Response> {
    // OpenStack's form of a request id; never the client's own, which could forge log lines.
    const requestId = `req-${crypto.randomUUID()}`;
    const log = createLog({ request_id: requestId, method: request.method, path: new URL(request.url).pathname });
    try {
      return await route(request, createEdge(env, ctx, readSettings(env), permissions, requestId, log));
    } catch (cause) {
      const id = { "x-openstack-request-id": requestId };
      if (cause instanceof SettingError) {
        log.error("setting.wrong", cause, { setting: cause.setting });
        return Response.json(
          { error: { setting: cause.setting, message: cause.message } },
          { status: 500, headers: id },
        );
      }
      if (cause instanceof OriginUnreachable) {
        if (!request.signal.aborted) log.error("origin.unreachable", cause);
        return glanceError(request, 502, "The image service behind this edge can't be reached.", id);
      }
      log.error("request.failed", cause);
      return glanceError(request, 500, `The edge failed to answer; its log has the reason under ${requestId}.`, id);
    }
  },
} satisfies ExportedHandler<Env>;
