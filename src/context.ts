/**
 * What one invocation works with: the settings, the adapters, and its own log. Made once per request, cron run or batch in
 * index.ts and handed down, so that nothing below reaches for a global.
 */

import type { AloneDownloads } from "./download/alone.ts";
import { FillClient, type Fills, placedFills } from "./fill/client.ts";
import type { RoomTools } from "./fill/make-room.ts";
import type { PolicyOrder } from "./glance/policy-order.ts";
import type { Permissions } from "./glance/remembered.ts";
import { type ServiceTokens, serviceTokens } from "./keystone/service-tokens.ts";
import type { Log } from "./lib/log.ts";
import type { Seldom } from "./lib/seldom.ts";
import type { Memory } from "./memory.ts";
import { publisherOf } from "./notify/envelope.ts";
import type { Receivers } from "./notify/receivers.ts";
import type { Notifier } from "./notify/send.ts";
import type { Env, Settings } from "./settings.ts";
import { Catalog } from "./store/catalog.ts";
import { Cursors } from "./store/cursors.ts";
import { ImageList } from "./store/image-list.ts";
import { Meter } from "./store/meter.ts";
import { ObjectStore } from "./store/objects.ts";
import { PartStore } from "./store/parts.ts";
import { PrefetchQueue } from "./store/queue.ts";
import { RoomBook } from "./store/room.ts";
import { SliceStore } from "./store/slices.ts";
import { Traffic } from "./store/traffic.ts";
import type { Usage } from "./store/usage.ts";

export interface Edge {
  readonly settings: Settings;
  readonly objects: ObjectStore;
  readonly parts: PartStore;
  readonly slices: SliceStore;
  readonly catalog: Catalog;
  readonly images: ImageList;
  readonly room: RoomBook;
  readonly queue: PrefetchQueue;
  readonly cursors: Cursors;
  readonly traffic: Traffic;
  readonly fills: Fills;
  readonly permissions: Permissions;
  readonly policyOrder: PolicyOrder;
  readonly usage: Usage;
  readonly meter: Meter;
  readonly alone: AloneDownloads;
  readonly receivers: Receivers;
  readonly seldom: Seldom;
  /** The edge's own account at Keystone, or null: it has none. */
  readonly service: ServiceTokens | null;
  /** The page's files; null: they are not bound. */
  readonly assets: Fetcher | null;
  /** For attempts to log in; null: none is bound. */
  readonly loginLimit: RateLimit | null;
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
  const { permissions, policyOrder, usage, tally, alone, receivers, seldom } = memory;
  const { keystone } = settings;
  const now = Date.now;
  const background = (work: Promise<unknown>) => ctx.waitUntil(work);
  const traffic = new Traffic(env.CATALOG);
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
    objects: new ObjectStore(env.BUCKET),
    parts: new PartStore(env.BUCKET),
    slices: new SliceStore(env.BUCKET),
    catalog: new Catalog(env.CATALOG),
    images: new ImageList(env.CATALOG),
    room: new RoomBook(env.CATALOG),
    queue: new PrefetchQueue(env.CATALOG),
    cursors: new Cursors(env.CATALOG),
    traffic,
    fills: placedFills(env.FILL, settings.place),
    permissions,
    policyOrder,
    usage,
    meter: new Meter({ tally, traffic, background, log: call.log, now }),
    alone,
    receivers,
    seldom,
    service,
    assets: env.ASSETS ?? null,
    loginLimit: env.LOGIN_LIMIT ?? null,
    notifier,
    ...call,
    now,
    background,
  };
}

/** What making room works with. */
export function roomTools({ catalog, room, fills, log, now }: Edge): RoomTools {
  return { catalog, room, fill: (imageId) => new FillClient(fills, imageId, log), log, now };
}
