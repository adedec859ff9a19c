/**
 * What one request works with: the settings, the adapters, and the request's own log. Made once per request in
 * index.ts and handed down, so that nothing below reaches for a global.
 */
import type { Env, Settings } from "./config.ts";
import type { Log } from "./observe/log.ts";
import type { Permissions } from "./origin/permissions.ts";
import { Catalog } from "./store/catalog.ts";
import { SliceStore } from "./store/slices.ts";

export interface Edge {
  readonly settings: Settings;
  readonly catalog: Catalog;
  readonly slices: SliceStore;
  readonly fills: Env["FILL"];
  readonly permissions: Permissions;
  /** In the log and in the answers that the edge gives itself. */
  readonly requestId: string;
  readonly log: Log;
  readonly now: () => number;
  /** Lets work go on after the answer (at most 30 s after the client is gone, Workers limits page). */
  readonly background: (work: Promise<unknown>) => void;
}

export function createEdge(
  env: Env,
  ctx: Pick<ExecutionContext, "waitUntil">,
  settings: Settings,
  permissions: Permissions,
  requestId: string,
  log: Log,
): Edge {
  return {
    settings,
    catalog: new Catalog(env.CATALOG),
    slices: new SliceStore(env.BUCKET),
    fills: env.FILL,
    permissions,
    requestId,
    log,
    now: Date.now,
    background: (work) => ctx.waitUntil(work),
  };
}
