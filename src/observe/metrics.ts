/** GET /edge/metrics: totals over all isolates from D1, so that a scrape sees the same from anywhere. */
import type { Edge } from "../context.ts";
import { USER_AGENT } from "../http/user-agent.ts";
import { withDeadline } from "../lib/deadline.ts";
import type { Total } from "../store/traffic.ts";
import { exposition, type Gauge } from "./exposition.ts";

/** Prometheus gives a scrape 10 s. */
const INDEX_MS = 5_000;

/** What D1 knows. */
interface Indexed {
  readonly totals: readonly Total[];
  readonly gauges: readonly Gauge[];
}

/** The metrics; of those that only D1 knows none while it is away, which `glance_edge_index_up` tells. */
export async function metrics(edge: Edge): Promise<Response> {
  const { settings, requestId, log } = edge;
  let indexed: Indexed | null = null;
  try {
    indexed = await withDeadline("D1", INDEX_MS, readIndex(edge));
  } catch (cause) {
    log.error("catalog.unavailable", cause);
  }
  const own: Gauge[] = [
    { name: "info", help: "The version of the edge", values: [[{ version: USER_AGENT.split("/")[1] ?? "" }, 1]] },
    gauge("cap_bytes", "Room for stored images, CACHE_MAX_BYTES", settings.cacheMaxBytes),
    gauge(
      "index_up",
      "Whether D1 answers: while it does not, counters and sizes are missing",
      indexed === null ? 0 : 1,
    ),
  ];
  return new Response(exposition([...own, ...(indexed?.gauges ?? [])], indexed?.totals ?? null), {
    headers: {
      "content-type": "text/plain; version=0.0.4; charset=utf-8",
      "cache-control": "no-store",
      "x-openstack-request-id": requestId,
    },
  });
}

/** @throws whatever D1 throws */
async function readIndex({ traffic, room, catalog, queue, cursors }: Edge): Promise<Indexed> {
  const [totals, { kept, filling }, images, { queued, failing }, successes] = await Promise.all([
    traffic.totals(),
    room.sums(),
    catalog.count(),
    queue.counts(),
    cursors.successes(),
  ]);
  const gauges: Gauge[] = [
    gauge("stored_images", "Images that are kept", images),
    gauge("stored_bytes", "Image data that is kept", kept),
    gauge("filling_bytes", "Room that running fills have taken", filling),
    gauge("queued_images", "Images in the prefetch queue", queued),
    gauge("queued_images_failing", "Those of them whose last attempts failed", failing),
    {
      name: "cron_last_success_timestamp_seconds",
      help: "When each task of the cron last came to its end",
      values: successes.map(({ task, at }) => [{ task }, at / 1000]),
    },
  ];
  return { totals, gauges };
}

function gauge(name: string, help: string, value: number): Gauge {
  return { name, help, values: [[{}, value]] };
}
