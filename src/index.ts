/**
 * glance-edge: what the platform calls. Each invocation gets an id, checked settings and a last line of defence: a failure
 * of ours is one line of JSON in the log and, to a client, a Glance-shaped answer, never a stack trace.
 */

import { createEdge } from "./context.ts";
import { BadOriginAnswer } from "./glance/bad-answer.ts";
import { edgeBaseUrl } from "./glance/base-url.ts";
import { glanceError } from "./glance/errors.ts";
import { OriginUnreachable } from "./glance/forward.ts";
import { edgeName, hasPassed } from "./http/loop.ts";
import { createLog } from "./lib/log.ts";
import { SettingError } from "./lib/read-setting.ts";
import { memory } from "./memory.ts";
import { deliver, retryDelay } from "./notify/deliver.ts";
import { unsettled } from "./observe/health.ts";
import { route } from "./router.ts";
import { type Env, readSettings } from "./settings.ts";
import { runUpkeep } from "./upkeep/cron.ts";

export { Fill } from "./fill/object/fill.ts";

/** How often one isolate tells of requests that come back. */
const LOOPS_MS = 60_000;

export default {
  async fetch(request, env, ctx): Promise<Response> {
    // OpenStack's form of a request id; never the client's own, which could forge log lines.
    const requestId = `req-${crypto.randomUUID()}`;
    const id = { "x-openstack-request-id": requestId };
    // A Host field that makes no URL (RFC 9112 section 3.2). Asked here, since nothing above the `try` may throw.
    const path = URL.canParse(request.url) ? new URL(request.url).pathname : null;
    const log = createLog({ request_id: requestId, method: request.method, path });
    if (path === null) return glanceError(request, 400, "The Host of this request is no host name.", id);
    try {
      const settings = readSettings(env);
      if (hasPassed(request.headers, edgeName(settings))) {
        // One request that goes round comes back in many.
        if (memory.seldom.isDue("request.loops", LOOPS_MS, Date.now())) {
          log.error("request.loops", new Error("it has passed this edge before: ORIGIN_URL leads back here"));
        }
        return glanceError(
          request,
          508,
          "This request has passed this edge before: its setting ORIGIN_URL leads back to it.",
          id,
        );
      }
      const url = edgeBaseUrl(request, settings.publicUrl);
      return await route(request, createEdge(env, ctx, settings, memory, { requestId, url, log }));
    } catch (cause) {
      if (cause instanceof SettingError) {
        log.error("setting.wrong", cause, { setting: cause.setting });
        // Wherever the edge is mounted: that is one of the settings.
        if (/\/edge\/(health|ready)$/.test(path)) return unsettled(cause, Date.now(), requestId);
        return Response.json(
          { error: { setting: cause.setting, message: cause.message } },
          { status: 500, headers: id },
        );
      }
      if (cause instanceof OriginUnreachable) {
        if (!request.signal.aborted) log.error("origin.unreachable", cause);
        return glanceError(request, 502, "The image service behind this edge can't be reached.", id);
      }
      if (cause instanceof BadOriginAnswer) {
        log.error("origin.bad-answer", cause);
        return glanceError(request, 502, cause.forClient, id);
      }
      log.error("request.failed", cause);
      return glanceError(request, 500, `The edge failed to answer; its log has the reason under ${requestId}.`, id);
    }
  },

  async scheduled(controller, env, ctx): Promise<void> {
    const requestId = `req-${crypto.randomUUID()}`;
    const log = createLog({ request_id: requestId, cron: controller.cron });
    try {
      const settings = readSettings(env);
      const url = settings.publicUrl;
      await runUpkeep(createEdge(env, ctx, settings, memory, { requestId, url, log }), controller.cron);
    } catch (cause) {
      log.error("cron.failed", cause);
      // So that the platform counts the run as a failed one.
      throw cause;
    }
  },

  async queue(batch, env): Promise<void> {
    const log = createLog({ request_id: `req-${crypto.randomUUID()}`, queue: batch.queue });
    try {
      await deliver(batch, readSettings(env), log);
    } catch (cause) {
      log.error("setting.wrong", cause);
      // Thrown on, the platform would retry at once and use up the retries before anybody can mend the setting.
      for (const message of batch.messages) message.retry({ delaySeconds: retryDelay(message.attempts) });
    }
  },
} satisfies ExportedHandler<Env>;
