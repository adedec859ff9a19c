/** GET /edge/ready, for balancers: 200 as long as downloads can be answered, which takes the origin, but no store. */
import type { Edge } from "../context.ts";
import { Recent } from "../lib/recent.ts";
import { type Check, check } from "./check.ts";
import { lookAtOrigin } from "./origin.ts";

/** A balancer asks every few seconds, from many places. */
const READY_MS = 5_000;

const lately = new Recent<Check>();

/** @param recent what the isolate remembers */
export async function ready(edge: Edge, recent = lately): Promise<Response> {
  const look = () => check("origin", () => lookAtOrigin(edge.settings), "can't be reached", edge);
  const looking = recent.get(READY_MS, edge.now, look);
  edge.background(looking);
  const { ok, why } = await looking;
  return new Response(ok ? "ready\n" : `not ready: the origin ${why}\n`, {
    status: ok ? 200 : 503,
    headers: {
      "content-type": "text/plain; charset=utf-8",
      "cache-control": "no-store",
      "x-openstack-request-id": edge.requestId,
    },
  });
}
