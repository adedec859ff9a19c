/**
 * What one invocation works with: the settings, the adapters, and its own log. Made once per request, cron run or batch in
 * index.ts and handed down, so that nothing below reaches for a global.
 */
import type { Env, Settings } from "./config.ts";
import type { Usage } from "./download/usage.ts";
import { type ServiceTokens, serviceTokens } from "./keystone/service-tokens.ts";
import type { Memory } from "./memory.ts";
import { publisherOf } from "./notify/envelope.ts";
import type { Notifier } from "./notify/send.ts";
import type { Log } from "./observe/log.ts";
import type { Permissions } from "./origin/permissions.ts";
import type { PolicyOrder } from "./origin/policy-order.ts";
import { Catalog } from "./store/catalog.ts";
import { Cursors } from "./store/cursors.ts";
import { Generations } from "./store/generations.ts";
import { PrefetchQueue } from "./store/queue.ts";
import { Rounds } from "./store/rounds.ts";
import { SliceStore } from "./store/slices.ts";
import type { Store } from "./store/store.ts";

export interface Edge extends Store {
  readonly settings: Settings;
  readonly queue: PrefetchQueue;
  readonly cursors: Cursors;
  readonly rounds: Rounds;
  readonly fills: Env["FILL"];
  readonly permissions: Permissions;
  readonly policyOrder: PolicyOrder;
  readonly usage: Usage;
  /** The edge's own account at Keystone, or null: it has none. */
  readonly service: ServiceTokens | null;
  /** Null: nobody wants notifications. */
  readonly notifier: Notifier | null;
  /**
   * The edge's own base URL, without a trailing slash; null in a cron run that PUBLIC_URL does not tell. Only for the answer to
   * who asked: without PUBLIC_URL it is what that client says.
   */
  readonly url: string | null;
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
  memory: Memory,
  call: Pick<Edge, "requestId" | "url" | "log">,
): Edge {
  const { permissions, policyOrder, usage, receivers } = memory;
  const { keystone } = settings;
  const now = Date.now;
  const service = serviceTokens(settings, memory.serviceTokens, now);
  const notifier =
    env.NOTIFICATIONS === undefined
      ? null
      : {
          queue: env.NOTIFICATIONS,
          keystone,
          service,
          receivers,
          publisherId: publisherOf(settings.publicUrl),
          log: call.log,
          now,
        };
  return {
    settings,
    catalog: new Catalog(env.CATALOG),
    generations: new Generations(env.CATALOG),
    queue: new PrefetchQueue(env.CATALOG),
    cursors: new Cursors(env.CATALOG),
    rounds: new Rounds(env.CATALOG),
    slices: new SliceStore(env.BUCKET),
    fills: env.FILL,
    permissions,
    policyOrder,
    usage,
    service,
    notifier,
    ...call,
    now,
    background: (work) => ctx.waitUntil(work),
  };
}
