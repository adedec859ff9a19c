/** What a Fill works with. */

import type { Log } from "../../lib/log.ts";
import type { Settings } from "../../settings.ts";
import type { Catalog } from "../../store/catalog.ts";
import type { ObjectStore } from "../../store/objects.ts";
import type { PartStore } from "../../store/parts.ts";
import type { PrefetchQueue } from "../../store/queue.ts";
import type { RoomBook } from "../../store/room.ts";
import type { SliceStore } from "../../store/slices.ts";

export interface FillTools {
  readonly slices: SliceStore;
  readonly objects: ObjectStore;
  readonly parts: PartStore;
  readonly catalog: Catalog;
  readonly room: RoomBook;
  readonly queue: PrefetchQueue;
  readonly settings: Settings;
  readonly log: Log;
}
