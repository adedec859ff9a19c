/** What a Fill works with. */

import type { Log } from "../../lib/log.ts";
import type { Env, Settings } from "../../settings.ts";
import { Catalog } from "../../store/catalog.ts";
import { Meter } from "../../store/meter.ts";
import { ObjectStore } from "../../store/objects.ts";
import { PartStore } from "../../store/parts.ts";
import { PrefetchQueue } from "../../store/queue.ts";
import { RoomBook } from "../../store/room.ts";
import { SliceStore } from "../../store/slices.ts";
import { Tally } from "../../store/tally.ts";
import { Traffic } from "../../store/traffic.ts";

/** One for all Fills of an isolate: what one of them could not write the next one does. */
const tally = new Tally();

export interface FillTools {
  readonly slices: SliceStore;
  readonly objects: ObjectStore;
  readonly parts: PartStore;
  readonly catalog: Catalog;
  readonly room: RoomBook;
  readonly queue: PrefetchQueue;
  readonly meter: Meter;
  readonly settings: Settings;
  readonly log: Log;
}

/** @param background keeps the object until this has settled */
export function fillTools(
  env: Env,
  settings: Settings,
  log: Log,
  background: (work: Promise<unknown>) => void,
): FillTools {
  return {
    slices: new SliceStore(env.BUCKET),
    objects: new ObjectStore(env.BUCKET),
    parts: new PartStore(env.BUCKET),
    catalog: new Catalog(env.CATALOG),
    room: new RoomBook(env.CATALOG),
    queue: new PrefetchQueue(env.CATALOG),
    meter: new Meter({ tally, traffic: new Traffic(env.CATALOG), background, log, now: Date.now }),
    settings,
    log,
  };
}
